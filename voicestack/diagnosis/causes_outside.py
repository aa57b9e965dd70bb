"""Causes as another machine sees them, and as both sides together do."""

from voicestack.diagnosis.cause import Cause

OUTSIDE = "from outside"
EITHER = "a firewall on the way, another address, or a service that is down: this side cannot tell"
ASK = (
    "on the stack's machine: `sudo .venv/bin/python scripts/sanity_check.py --quick "
    "--count-packets 30 --json > inside.json`, look from here meanwhile, then `--merge` both"
)

TABLE: tuple[Cause, ...] = (
    Cause("OUT001", OUTSIDE, "the SIP port cannot be reached from here", EITHER, ASK),
    Cause("OUT002", OUTSIDE, "the HTTPS port cannot be reached from here", EITHER, ASK),
    Cause("OUT003", OUTSIDE, "the media port cannot be reached over UDP from here", EITHER, ASK),
    Cause("OUT004", OUTSIDE, "the media port cannot be reached over TCP from here", EITHER, ASK),
    Cause("OUT005", OUTSIDE, "the relay cannot be reached over UDP from here", EITHER, ASK),
    Cause("OUT006", OUTSIDE, "the relay cannot be reached over TLS from here", EITHER, ASK),
    Cause(
        "OUT007",
        OUTSIDE,
        "the token for looking from outside is refused",
        "it has expired, belongs to another stack, or lets nobody join",
        "a new one: `scripts/mint_token.py --room look --identity look --ttl 15m`",
    ),
    Cause(
        "FWL001",
        OUTSIDE,
        "a firewall on the stack's machine drops the packets",
        "they arrive at its network card, and no answer leaves it although the service is up",
        "open the port there: `scripts/show_ports.py --format ufw` (or nft, firewalld)",
    ),
    Cause(
        "FWL002",
        OUTSIDE,
        "the packets never arrive at the stack's machine",
        "a firewall in front of it (the cloud's, a router's) drops them",
        "open the port there: `scripts/show_ports.py --format aws` (or gcp, hetzner), or forward "
        "it in the router",
    ),
    Cause(
        "FWL003",
        OUTSIDE,
        "answers leave the stack's machine and never arrive",
        "a firewall on the way back, or NAT that sends them from another address",
        "outgoing UDP must be open on both sides; no NAT between the stack and its public address",
    ),
    Cause(
        "FWL004",
        OUTSIDE,
        "the address that was called is not the stack's",
        "the name or address used outside leads to another machine than NODE_IP",
        "correct DNS, or NODE_IP",
    ),
)

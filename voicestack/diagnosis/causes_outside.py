"""Causes as another machine sees them."""

from voicestack.diagnosis.cause import Cause

OUTSIDE = "from outside"
EITHER = "a firewall on the way, another address, or a service that is down: this side cannot tell"
ASK = "on the stack's machine: `scripts/sanity_check.py --quick`; if healthy, open the port"

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
        "it has expired, or belongs to another stack",
        "a new one: `scripts/mint_token.py --room look --identity look --ttl 15m`",
    ),
)

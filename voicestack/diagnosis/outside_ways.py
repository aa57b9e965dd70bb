"""The ways of a browser's sound from another machine, as the server names them."""

import ssl
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

from voicestack.diagnosis.legs import names
from voicestack.diagnosis.legs.ways import Ends, relay_code, try_all
from voicestack.diagnosis.model import CannotTellError, Finding, Verdict
from voicestack.diagnosis.webrtc.signal import Candidate, Door, Invitation, JoinError, joined
from voicestack.diagnosis.webrtc.ways import Relayed, Way

CLOSED = {"udp": "OUT003", "tcp": "OUT004", "relay-udp": "OUT005", "relay-tls": "OUT006"}
# What may fail between us and the port; all else is the relay's own doing.
NO_WAY = {"connect", "allocate"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the server named, and how far we got."""

    there: str  # the address that was asked for
    candidates: tuple[Candidate, ...] = ()
    ways: tuple[Way, ...] = ()
    error: str = ""
    status: int | None = None


async def look(place: tuple[str, int], trust: ssl.SSLContext, token: str, there: str) -> Facts:
    """Join through the HTTPS port and try everything that was named."""
    door = Door(f"wss://{place[0]}:{place[1]}", trust)
    try:
        async with joined(door, token) as invitation:
            ends = await _ends(invitation, trust)
            named = (ends.udp, ends.tcp, ends.relay_udp, ends.relay_tls)
            wanted = tuple(kind for kind, end in zip(CLOSED, named, strict=True) if end)
            ways = await try_all(wanted, invitation, ends)
            return Facts(there, tuple(invitation.candidates), ways)
    except JoinError as error:
        return Facts(there, error=str(error), status=error.status)


async def _ends(invitation: Invitation, trust: ssl.SSLContext) -> Ends:
    udp, tcp = invitation.first("udp"), invitation.first("tcp")
    relays: dict[str, Relayed] = {}
    for relay in invitation.relays:
        for url in relay.urls if relay.user else ():
            scheme, _, rest = url.partition(":")
            host, _, port = rest.partition("?")[0].rpartition(":")
            if not host or scheme in relays or udp is None:
                continue
            to = (await _address(host), int(port))
            secure = trust if scheme == "turns" else None
            relays[scheme] = Relayed(to, relay.user, relay.password, udp, (), secure, host)
    return Ends(
        (udp.address, udp.port) if udp else None,
        (tcp.address, tcp.port) if tcp else None,
        relays.get("turn"),
        relays.get("turns"),
    )


async def _address(host: str) -> str:
    try:
        return str(IPv4Address(host))
    except AddressValueError:
        found = [each for each in await names.resolve(host) or () if not names.is_v6(each)]
        if not found:
            raise CannotTellError(f"{host} has no address here", f"getent ahosts {host}") from None
        return found[0]


def judge(facts: Facts) -> Verdict:
    """Joined, told the right address, and led there by each way that was named."""
    if facts.status in {401, 403}:
        return [Finding("OUT007", f"the token was refused: HTTP {facts.status}")]
    if facts.error:
        return [Finding("WEB003", facts.error)]
    others = {each.address for each in facts.candidates} - {facts.there}
    if others and any(way.failed for way in facts.ways if way.kind == "udp"):
        seen = f"it names {', '.join(sorted(others))}, and we came to {facts.there}"
        return [Finding("ICE002", seen)]
    found = [Finding(_code(way), way.text, way.kind) for way in facts.ways if way.failed]
    # A closed media port closes the relay's way to it too, where the firewall is the machine's own.
    closed = any(each.code == "OUT003" for each in found)
    return [each for each in found if not (closed and each.code == "RLY005")]


def _code(way: Way) -> str:
    if way.kind.startswith("relay") and way.failed not in NO_WAY:
        return relay_code(way)
    return CLOSED[way.kind]

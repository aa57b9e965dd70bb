"""From the port table, the settings and the lines: what to open, to whom, why."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses

from voicestack import ports
from voicestack.lines.model import Line
from voicestack.lines.wanted import Networks
from voicestack.settings import Settings

EVERYBODY = (IPv4Network("0.0.0.0/0"),)
# Who calls these is declared in lines.yaml; the others are for browsers.
PHONE_SERVICE = "sip"


@dataclass(frozen=True, slots=True)
class Rule:
    """One opening: a protocol, ports in a row, networks that may come in."""

    key: str
    proto: str  # "tcp" or "udp"
    first: int
    last: int
    sources: tuple[IPv4Network, ...]
    why: str

    @property
    def span(self) -> str:
        """The ports as most tools write them."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def rules(
    settings: Settings,
    lines: Iterable[Line],
    now: Networks,
    browsers: tuple[IPv4Network, ...] | None = None,
) -> list[Rule]:
    """Every opening, in the order of the table; none at all with LISTEN=loopback.

    Unless `browsers` says otherwise, they come from the LAN, to a DOMAIN from everywhere.
    """
    if settings.listen == "loopback":
        return []
    table = ports.resolve(settings)
    callers = phones(lines, now)
    made = []
    anywhere = EVERYBODY if settings.domain else now.lan
    for port in ports.TABLE:
        sources = callers if port.service == PHONE_SERVICE else (browsers or anywhere)
        if port.key == "sip_rtp" and settings.registrar == "on":
            # The sound of registered phones comes from wherever they are.
            sources = tuple(sorted(collapse_addresses({*callers, *anywhere})))
        if port.public and sources and ports.in_use(port, settings):
            span = table.range(port.key)
            made += [
                Rule(port.key, proto, span.start, span.stop - 1, sources, port.why)
                for proto in port.proto.split("+")
            ]
    return made


def phones(lines: Iterable[Line], now: Networks) -> tuple[IPv4Network, ...]:
    """Networks that may reach SIP and RTP: those that a line names, or all if a password does."""
    found: set[IPv4Network] = set()
    for line in lines:
        if not line.sources:
            return EVERYBODY
        # What comes from this machine itself passes no firewall.
        found |= {each for each in now.stand_for(line.sources) if not each.is_loopback} - set(
            now.this_machine
        )
    return tuple(sorted(collapse_addresses(found)))

"""The one table of ports; server configurations, docs and checks are tested against it."""

import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from voicestack.errors import VoicestackError

if TYPE_CHECKING:
    from voicestack.settings import Settings

Proto = Literal["tcp", "udp", "udp+tcp"]
# loopback: 127.0.0.1 only. node: every interface with LISTEN=lan, 127.0.0.1 with LISTEN=loopback.
# inside: as node, because the server cannot do otherwise, but nobody outside needs it.
# off: the number is kept free, and nothing listens (livekit-sip would open it to every network).
Bind = Literal["loopback", "node", "inside", "off"]

# A second copy of the stack takes this many ports from STACK_PORT_BASE on.
BLOCK = 300
# https:// without a port; livekit-server names no other one for its relay over TLS
# (1.13.5, pkg/service/roommanager.go, iceServersForParticipant).
HTTPS = 443
# Linux hands 32768-60999 to outgoing connections (ip_local_port_range): below, a block stays free.
FREE_BASES = range(20_000, 32_768 - BLOCK, BLOCK)


@dataclass(frozen=True, slots=True)
class Port:
    """One port, or `count` ports in a row."""

    key: str
    default: int
    offset: int
    count: int
    proto: Proto
    service: str
    bind: Bind
    why: str

    @property
    def public(self) -> bool:
        """True if a firewall must let callers reach it."""
        return self.bind == "node"


TABLE: tuple[Port, ...] = (
    Port("livekit_http", 7880, 0, 1, "tcp", "livekit", "loopback", "API and signalling"),
    Port("livekit_tcp", 7881, 1, 1, "tcp", "livekit", "node", "media of browsers without UDP"),
    Port("livekit_udp", 7882, 2, 1, "udp", "livekit", "node", "media of browsers and the agent"),
    Port("sip", 5060, 3, 1, "udp+tcp", "sip", "node", "calls are set up here"),
    # livekit-sip takes even ports only and holds one for minutes after a call
    # (media-sdk rtp/listen.go; sip rtp_draining_duration): 200 ports carry fewer than 100 calls.
    Port("sip_rtp", 10000, 100, 200, "udp", "sip", "node", "audio of phone calls"),
    Port("redis", 6380, 4, 1, "tcp", "redis", "loopback", "state shared by livekit and sip"),
    Port("control", 7890, 5, 1, "tcp", "control", "loopback", "lines and webhooks"),
    Port("llm", 7891, 6, 1, "tcp", "llm", "loopback", "local language model"),
    Port("tts", 7892, 7, 1, "tcp", "tts", "loopback", "local voice"),
    Port("agent_health", 7893, 8, 1, "tcp", "agent", "loopback", "health of the worker"),
    Port("sip_health", 7894, 9, 1, "tcp", "sip", "off", "health of the SIP gateway"),
    Port("sip_metrics", 7895, 10, 1, "tcp", "sip", "off", "Prometheus metrics"),
    Port("livekit_metrics", 7896, 11, 1, "tcp", "livekit", "loopback", "Prometheus metrics"),
    Port("agent_metrics", 7897, 12, 1, "tcp", "agent", "off", "Prometheus metrics"),
    Port("https", 8443, 13, 1, "tcp", "caddy", "node", "the page, signalling, relay over TLS"),
    Port("http", 80, 20, 1, "tcp", "caddy", "node", "with ACME_EMAIL: certificates, redirect"),
    Port("agent_b_health", 7898, 14, 1, "tcp", "agent", "loopback", "its successor's, in a deploy"),
    Port("caddy_health", 7899, 23, 1, "tcp", "caddy", "loopback", "health of the TLS proxy"),
    Port("turn_udp", 3478, 21, 1, "udp", "livekit", "node", "relay for browsers, STUN"),
    # TURN binds all its ports to the same addresses (livekit-server 1.13.5, pkg/service/turn.go).
    Port("turn_tls", 5349, 22, 1, "tcp", "livekit", "inside", "relay behind the TLS of https"),
    # A browser takes one for each way to the relay: 60 ports carry some 20 calls over the relay.
    Port("turn_relay", 10300, 40, 60, "udp", "livekit", "inside", "the relay's own end"),
    Port("sip_tls", 5061, 31, 1, "tcp", "sip", "node", "calls are set up here over TLS"),
    Port("registrar", 5080, 30, 1, "udp+tcp", "registrar", "node", "softphones register here"),
    Port("egress_template", 7980, 32, 1, "tcp", "egress", "loopback", "pages that are recorded"),
    Port("ingress_rtmp", 1935, 33, 1, "tcp", "ingress", "node", "streams into rooms, RTMP"),
    Port("ingress_whip", 8080, 34, 1, "tcp", "ingress", "node", "streams into rooms, WHIP"),
    Port("ingress_udp", 7885, 35, 1, "udp", "ingress", "node", "media of WHIP"),
    Port("ingress_relay", 9090, 36, 1, "tcp", "ingress", "loopback", "between its processes"),
)
BY_KEY = {port.key: port for port in TABLE}


class Ports:
    """The ports of one stack: `ports["sip"]` is a number, `ports.range("sip_rtp")` a range."""

    def __init__(self, first: dict[str, int]) -> None:
        self._first = {port.key: first.get(port.key, port.default) for port in TABLE}

    def __getitem__(self, key: str) -> int:
        return self._first[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._first)

    def __repr__(self) -> str:
        return f"Ports({self._first})"

    def range(self, key: str) -> range:
        """All numbers of one entry of the table."""
        return range(self._first[key], self._first[key] + BY_KEY[key].count)


def in_use(port: Port, settings: "Settings") -> bool:
    """Tell whether anything listens there, as the stack is set."""
    if port.bind == "off":
        return False
    if port.key == "http":
        return settings.acme_email is not None
    if port.key == "turn_tls":
        return settings.turn_domain is not None
    if port.service in {"registrar", "egress", "ingress"}:
        return bool(getattr(settings, port.service) == "on")
    if port.key == "sip_tls":
        return settings.sip_tls == "on"
    return settings.listen != "loopback" or port.key not in {
        "livekit_tcp",
        "turn_udp",
        "turn_relay",
    }


def authority(settings: "Settings") -> str:
    """Return what stands after https:// in the page's address."""
    host, number = settings.domain or str(settings.node_ip), resolve(settings)["https"]
    return host if number == HTTPS else f"{host}:{number}"


def resolve(settings: "Settings") -> Ports:
    """Give every entry of the table its number; STACK_PORT_BASE moves all of them."""
    if settings.stack_port_base is not None:
        return at_base(settings.stack_port_base)
    return Ports({"sip": settings.sip_port, "https": settings.https_port})


def at_base(base: int) -> Ports:
    """The ports of a stack whose block begins at `base`."""
    return Ports({port.key: base + port.offset for port in TABLE})


def clashes(ports: Ports) -> list[tuple[str, str, int]]:
    """Pairs of entries that want the same port of the same protocol, with that port."""
    found = []
    for index, one in enumerate(TABLE):
        for other in TABLE[index + 1 :]:
            if not set(one.proto.split("+")) & set(other.proto.split("+")):
                continue
            a, b = ports.range(one.key), ports.range(other.key)
            if a.start < b.stop and b.start < a.stop:
                found.append((one.key, other.key, max(a.start, b.start)))
    return found


def free_base() -> int:
    """A value for STACK_PORT_BASE whose whole block is free now, for tests and second copies."""
    # Two test runs that start together must not pick the same block.
    for base in random.sample(FREE_BASES, len(FREE_BASES)):
        if all(_is_free(number) for number in range(base, base + BLOCK)):
            return base
    raise VoicestackError(
        f"no {BLOCK} ports in a row are free between {FREE_BASES.start} and {FREE_BASES.stop}",
        hint="stop another copy of the stack; `ss -lntu` lists who listens",
    )


def _is_free(number: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as sock:
            if kind == socket.SOCK_STREAM:  # TIME_WAIT of an earlier run is no obstacle
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("0.0.0.0", number))  # noqa: S104 - bound for a moment, never listening
            except OSError:
                return False
    return True


def row(port: Port) -> list[str]:
    """One entry as docs/ports.md shows it."""
    last = port.default + port.count - 1
    numbers = str(port.default) if port.count == 1 else f"{port.default}-{last}"
    offset = (
        f"+{port.offset}"
        if port.count == 1
        else f"+{port.offset} to +{port.offset + port.count - 1}"
    )
    reach = {"node": "callers", "off": "nobody"}.get(port.bind, "this machine")
    return [port.key, numbers, offset, port.proto, port.service, reach, port.why]

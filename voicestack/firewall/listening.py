"""What really listens on this machine, beside what the table says."""

import socket
from dataclasses import dataclass
from ipaddress import ip_address

import psutil

from voicestack import ports
from voicestack.settings import Settings

# Programs of the stack by the names of their processes: whatever else they open to a network is a
# hole. Python is not among them: it would be anybody's.
OURS = ("livekit-server", "livekit-sip", "caddy", "redis-server", "kamailio")


@dataclass(frozen=True, slots=True)
class Socket:
    """A TCP port that listens, or a UDP port that is bound."""

    proto: str
    address: str
    port: int
    program: str | None  # None: another user's process, not looked at

    @property
    def reachable(self) -> bool:
        """Whether another host can reach it."""
        return not ip_address(self.address).is_loopback

    def __str__(self) -> str:
        return f"{self.proto} {self.address}:{self.port} ({self.program or 'program not known'})"


@dataclass(frozen=True, slots=True)
class Findings:
    """What differs from the table."""

    missing: tuple[str, ...]  # callers find nobody there
    exposed: tuple[str, ...]  # others can reach what is nobody else's business
    unknown: tuple[str, ...]  # the stack's programs listen where the table has nothing

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.exposed or self.unknown)


def look() -> tuple[Socket, ...]:
    """Ask the kernel; programs of other users stay unknown unless root asks."""
    found = []
    for each in psutil.net_connections(kind="inet"):
        is_tcp = each.type == socket.SOCK_STREAM
        if not each.laddr or (is_tcp and each.status != psutil.CONN_LISTEN) or each.raddr:
            continue
        found.append(
            Socket("tcp" if is_tcp else "udp", each.laddr.ip, each.laddr.port, _program(each.pid))
        )
    return tuple(sorted(set(found), key=lambda each: (each.port, each.proto, each.address)))


def judge(settings: Settings, sockets: tuple[Socket, ...]) -> Findings:
    """Compare; ports of a range come and go with calls, so a silent range is no fault."""
    table = ports.resolve(settings)
    known = {
        (proto, number): port
        for port in ports.TABLE
        for proto in port.proto.split("+")
        for number in table.range(port.key)
    }
    open_now = {(each.proto, each.port) for each in sockets if each.reachable}
    missing = [
        f"{port.key}: nobody listens on {proto} {number}, {port.why}"
        for (proto, number), port in known.items()
        if port.public
        and port.count == 1
        and ports.in_use(port, settings)
        and (proto, number) not in open_now
    ]
    reachable = [each for each in sockets if each.reachable]
    exposed = [
        f"{known[each.proto, each.port].key}: {each} is open to other hosts"
        for each in reachable
        if (each.proto, each.port) in known and _is_closed(known[each.proto, each.port])
    ]
    # UDP ports outside the table are those from which a server sends: no firewall lets anybody in.
    unknown = [
        f"{each} is not in the table"
        for each in reachable
        if each.proto == "tcp"
        and (each.proto, each.port) not in known
        and each.program is not None
        and each.program.startswith(OURS)
    ]
    quiet = settings.listen == "loopback"
    return Findings(() if quiet else tuple(missing), tuple(exposed), tuple(unknown))


def _is_closed(port: ports.Port) -> bool:
    return port.bind in {"loopback", "off"}


def _program(pid: int | None) -> str | None:
    try:
        return psutil.Process(pid).name() if pid else None
    except psutil.Error:
        return None

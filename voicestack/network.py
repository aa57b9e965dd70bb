"""What this machine's network looks like: own addresses, its LAN, the way out."""

import ipaddress
import os
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import psutil

ROUTE_TABLE = Path("/proc/net/route")
UNPRIVILEGED_START = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
LOOPBACK = IPv4Address("127.0.0.1")
# The lower half of loopback. The upper half is no place of programs that call: calls of registered
# phones come from there, and a line that lets this machine call does not let those phones call.
LOOPBACK_NETWORK = IPv4Network("127.0.0.0/9")
# Where the registrar meets the SIP gateway (registrar/kamailio.cfg.j2).
REGISTRAR = IPv4Address("127.200.0.1")
# Networks of containers and virtual machines: what runs there is not a phone on the LAN.
CONTAINER_PREFIXES = ("docker", "br-", "veth", "virbr", "cni", "flannel", "podman", "lxc")
# linux/route.h: route is up; route is a refusal ("unreachable").
RTF_UP, RTF_REJECT = 0x1, 0x200


@dataclass(frozen=True, slots=True)
class Interface:
    """One IPv4 address of one interface."""

    name: str
    address: IPv4Interface


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts of this machine that settings are judged by."""

    interfaces: tuple[Interface, ...]
    default_interface: str | None  # None: no default route
    first_free_port: int  # lowest port that this user may bind

    @property
    def addresses(self) -> frozenset[IPv4Address]:
        """All IPv4 addresses of this machine."""
        return frozenset(each.address.ip for each in self.interfaces) | {LOOPBACK}

    @property
    def node_ip(self) -> IPv4Address:
        """Address of the interface that has the default route, else loopback."""
        for each in self.interfaces:
            if each.name == self.default_interface:
                return each.address.ip
        return LOOPBACK


def look() -> Machine:
    """Ask the kernel."""
    return Machine(
        interfaces=_interfaces(),
        default_interface=default_interface(_read(ROUTE_TABLE)),
        first_free_port=1 if os.geteuid() == 0 else int(_read(UNPRIVILEGED_START) or 1024),
    )


def default_interface(route_table: str) -> str | None:
    """Name the interface of the default route with the lowest metric (proc(5), /proc/net/route)."""
    found: list[tuple[int, str]] = []
    for line in route_table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8:
            continue
        name, destination, flags = fields[0], fields[1], int(fields[3], 16)
        usable = flags & RTF_UP and not flags & RTF_REJECT
        if usable and int(destination, 16) == 0 and int(fields[7], 16) == 0:
            found.append((int(fields[6]), name))
    return min(found)[1] if found else None


def lan_networks(machine: Machine | None = None) -> tuple[IPv4Network, ...]:
    """Private networks of this machine's own interfaces, without those of containers."""
    machine = machine or look()
    found = {
        each.address.network
        for each in machine.interfaces
        if not each.name.startswith(CONTAINER_PREFIXES)
        and each.address.network.is_private
        and not each.address.ip.is_loopback
        and not each.address.ip.is_link_local
    }
    return tuple(ipaddress.collapse_addresses(found))


def own_networks(machine: Machine | None = None) -> tuple[IPv4Network, ...]:
    """Networks that only this machine can call from: loopback and each own address."""
    machine = machine or look()
    own = [IPv4Network(address) for address in machine.addresses if not address.is_loopback]
    return (LOOPBACK_NETWORK, *sorted(own))


def _interfaces() -> tuple[Interface, ...]:
    return tuple(
        Interface(name, IPv4Interface(f"{each.address}/{each.netmask or '255.255.255.255'}"))
        for name, addresses in sorted(psutil.net_if_addrs().items())
        for each in addresses
        if each.family == socket.AF_INET
    )


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""

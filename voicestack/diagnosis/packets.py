"""Packets as the network card sees them, before any firewall of this machine: needs root.

What arrives here and is not answered was dropped on this machine; what never arrives was dropped
before it. livekit-server counts nothing by port, so answers that leave take the place of its
counters.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from voicestack import ports
from voicestack.diagnosis.model import CannotTellError, Context

# linux/if_ether.h and if_packet.h. What leaves is shown to who asks for all protocols only.
ETH_P_ALL, ETH_P_IP, PACKET_OUTGOING = 0x0003, 0x0800, 4
PROTOCOLS = {socket.IPPROTO_UDP: "udp", socket.IPPROTO_TCP: "tcp"}
SUDO = "sudo .venv/bin/python scripts/sanity_check.py --quick --count-packets 30 --json"


@dataclass(slots=True)
class Count:
    """Of one port of the table."""

    arrived: int = 0
    answered: int = 0


def wanted(context: Context) -> Mapping[tuple[str, int], str]:
    """Ports that callers reach, by protocol and number."""
    return {
        (proto, number): port.key
        for port in ports.TABLE
        if port.public and ports.in_use(port, context.settings)
        for proto in port.proto.split("+")
        for number in context.ports.range(port.key)
    }


async def count(
    context: Context, end: Callable[[], Awaitable[object]]
) -> dict[str, dict[str, int]]:
    """Look at the card until the end; counts by the table's keys."""
    keys = wanted(context)
    found = {key: Count() for key in keys.values()}
    try:
        card = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    except PermissionError as error:
        why = "only root may look at the network card"
        raise CannotTellError(why, SUDO) from error
    with card:
        card.setblocking(False)
        loop = asyncio.get_running_loop()
        loop.add_reader(card, _read, card, keys, found)
        try:
            await end()
        finally:
            loop.remove_reader(card)
    return {
        key: {"arrived": each.arrived, "answered": each.answered} for key, each in found.items()
    }


def _read(
    card: socket.socket, keys: Mapping[tuple[str, int], str], found: Mapping[str, Count]
) -> None:
    try:
        data, (interface, protocol, direction, *_) = card.recvfrom(64)
    except BlockingIOError:
        return
    if protocol != ETH_P_IP or interface == "lo" or (ends := ports_of(data)) is None:
        return
    proto, source, target = ends
    if direction == PACKET_OUTGOING:
        if key := keys.get((proto, source)):
            found[key].answered += 1
    elif key := keys.get((proto, target)):
        found[key].arrived += 1


def ports_of(packet: bytes) -> tuple[str, int, int] | None:
    """Protocol, source and target port of an IPv4 packet (RFC 791 3.1)."""
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    begins = (packet[0] & 0x0F) * 4
    later_fragment = struct.unpack_from("!H", packet, 6)[0] & 0x1FFF
    proto = PROTOCOLS.get(packet[9])
    if proto is None or later_fragment or len(packet) < begins + 4:
        return None
    source, target = struct.unpack_from("!HH", packet, begins)
    return proto, source, target

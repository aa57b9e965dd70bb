"""RTP packets (RFC 3550 5.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("!BBHII")
_VERSION_2 = 0x80
# RFC 5761 4: RTCP packet types 192-223 are told from RTP by the second byte.
_RTCP_TYPES = range(192, 224)


@dataclass(frozen=True, slots=True)
class Packet:
    """What one RTP packet says."""

    payload_type: int
    seq: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False


def build(packet: Packet) -> bytes:
    """Make the bytes of a packet; numbers wrap as they do on the wire."""
    second = (0x80 if packet.marker else 0) | packet.payload_type
    return (
        _HEADER.pack(
            _VERSION_2, second, packet.seq & 0xFFFF, packet.timestamp & 0xFFFFFFFF, packet.ssrc
        )
        + packet.payload
    )


def parse(data: bytes) -> Packet | None:
    """Read a packet; None for what is not RTP (RTCP, STUN, noise)."""
    if len(data) < _HEADER.size or data[0] & 0xC0 != _VERSION_2 or data[1] in _RTCP_TYPES:
        return None
    first, second, seq, timestamp, ssrc = _HEADER.unpack_from(data)
    start = _HEADER.size + 4 * (first & 0x0F)
    if first & 0x10:  # header extension: four bytes, then its length in words
        if len(data) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    end = len(data) - (data[-1] if first & 0x20 else 0)
    if start > end:
        return None
    return Packet(second & 0x7F, seq, timestamp, ssrc, data[start:end], bool(second & 0x80))


def ahead(later: int, earlier: int) -> int:
    """How many packets `later` is ahead of `earlier`, with 16-bit wrap; negative if behind."""
    return (later - earlier + 0x8000) % 0x10000 - 0x8000

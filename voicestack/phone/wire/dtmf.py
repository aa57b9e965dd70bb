"""Key presses as telephone events (RFC 4733)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from voicestack.phone.wire.g711 import FRAME_SAMPLES, RATE_HZ
from voicestack.phone.wire.rtp import Packet

KEYS = "0123456789*#ABCD"  # RFC 4733 table 3: the event codes 0-15 in order
_EVENT = struct.Struct("!BBH")
_END = 0x80
_VOLUME = 10  # -10 dBm0, what handsets send
# RFC 4733 2.5.1.4: the last packet is sent three times in all, so that one loss does not hold the
# key down.
END_REPEATS = 3


@dataclass(frozen=True, slots=True)
class Event:
    """One telephone-event payload."""

    key: str
    end: bool
    duration_samples: int


def build(event: Event) -> bytes:
    """Make the four bytes of the payload."""
    flags = (_END if event.end else 0) | _VOLUME
    return _EVENT.pack(KEYS.index(event.key), flags, event.duration_samples)


def parse(payload: bytes) -> Event | None:
    """Read a payload; None if it is too short or not a key."""
    if len(payload) < _EVENT.size:
        return None
    code, flags, duration = _EVENT.unpack_from(payload)
    return Event(KEYS[code], bool(flags & _END), duration) if code < len(KEYS) else None


def press(key: str, frames: int) -> list[list[Event]]:
    """The events of one key press, a list for each 20 ms step;

    the last step carries the end three times.
    """
    steps = [[Event(key, False, FRAME_SAMPLES * (n + 1))] for n in range(frames)]
    return [*steps, [Event(key, True, FRAME_SAMPLES * frames)] * END_REPEATS]


@dataclass(slots=True)
class Pressed:
    """A key press as received."""

    key: str
    at: float
    duration_ms: float = 0.0
    ended: bool = False


@dataclass(slots=True)
class Receiver:
    """Collects key presses: packets of one press share their RTP timestamp (RFC 4733 2.5.1.2)."""

    presses: list[Pressed] = field(default_factory=list)
    _seen: dict[tuple[int, int], Pressed] = field(default_factory=dict)

    def feed(self, packet: Packet, at: float) -> None:
        """Take one packet of the telephone-event payload type."""
        event = parse(packet.payload)
        if event is None:
            return
        press = self._seen.get((packet.ssrc, packet.timestamp))
        if press is None:
            press = self._seen[packet.ssrc, packet.timestamp] = Pressed(event.key, at)
            self.presses.append(press)
        duration_ms = 1000 * event.duration_samples / RATE_HZ
        press.duration_ms = max(press.duration_ms, duration_ms)
        press.ended = press.ended or event.end

    @property
    def keys(self) -> str:
        """All keys so far, in order."""
        return "".join(press.key for press in self.presses)

"""The audio of one call:

RTP sent every 20 ms, speech or not; every packet received kept.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from voicestack.phone.errors import CallEnded
from voicestack.phone.faults import Faults
from voicestack.phone.measure import ActivityMeter
from voicestack.phone.udp import UdpSocket
from voicestack.phone.wire import dtmf, g711, rtp, sdp
from voicestack.phone.wire.g711 import FRAME_S, FRAME_SAMPLES, RATE_HZ, Samples
from voicestack.phone.wire.sip import Address

# RFC 4733 2.6: events are at least 40 ms; 160 ms with a pause of 60 ms is what people and dialers
# do.
KEY_FRAMES = 8
KEY_PAUSE_FRAMES = 3
# RFC 3550 11: RTP takes an even port. So many tries find one among random ports.
_EVEN_PORT_TRIES = 32
# RFC 3551 6: telephone events have no fixed number, so they are among these.
_DYNAMIC_TYPES = range(96, 128)
_SILENT_FRAME = np.zeros(FRAME_SAMPLES, dtype=np.int16)


@dataclass(frozen=True, slots=True)
class Received:
    """One RTP packet and when the kernel received it (monotonic clock)."""

    at: float
    packet: rtp.Packet


@dataclass(frozen=True, slots=True)
class Sent:
    """Speech (not silence) that was sent, and when."""

    at: float
    samples: Samples


@dataclass(slots=True)
class _Utterance:
    samples: Samples
    sent_at: list[float] = field(default_factory=list)
    done: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


@dataclass(slots=True)
class _Press:
    steps: deque[list[dtmf.Event]]
    done: asyncio.Future[None]
    timestamp: int | None = None


class MediaStream:
    """Sends like a telephone, with one clock for speech, silence and keys;

    receives and measures.
    """

    def __init__(self, local_ip: str, faults: Faults) -> None:
        self.received: list[Received] = []
        self.sent: list[Sent] = []
        self.keys = dtmf.Receiver()
        self.meter = ActivityMeter()
        self.remote: sdp.Media | None = None
        self.ignored_datagrams = 0
        self.worst_late_s = 0.0
        self.held = False  # we hold the far end: silence is not sent
        self._faults = faults
        self._heard = asyncio.Event()
        self._to_say: deque[_Utterance] = deque()
        self._to_press: deque[_Press] = deque()
        self._seq = secrets.randbelow(1 << 15)
        self._timestamp = secrets.randbelow(1 << 31)
        self._ssrc = secrets.randbits(32)
        self._newest: tuple[int, int] | None = None
        self._talking = False
        self._closed = False
        self._socket = _even_port(local_ip, self._datagram)
        self._clock: asyncio.Task[None] | None = None

    @property
    def address(self) -> Address:
        """Where we receive."""
        return self._socket.address

    def start(self, remote: sdp.Media) -> None:
        """Begin to send, or send elsewhere from now on."""
        self.remote = remote
        if self._clock is None:
            self._clock = asyncio.create_task(self._send_forever(), name="phone-rtp")

    def close(self) -> None:
        """Stop; whoever waits for something to be said learns that the call is over."""
        self._closed = True
        self._socket.close()
        if self._clock is not None:
            self._clock.cancel()
        waiting = [item.done for item in self._to_say] + [item.done for item in self._to_press]
        for future in waiting:
            if not future.done():
                future.set_exception(_cut_short())
        self._heard.set()

    async def say(self, samples: Samples) -> list[float]:
        """Send samples after what is being said; returns when each frame of 20 ms was sent."""
        if self._closed:
            raise _cut_short()
        padded = np.pad(samples, (0, -len(samples) % FRAME_SAMPLES))
        utterance = _Utterance(padded)
        self._to_say.append(utterance)
        try:
            await utterance.done
        finally:
            if utterance in self._to_say:  # cancelled: a caller who stops speaks no more
                self._to_say.remove(utterance)
        return utterance.sent_at

    async def press(self, keys: str) -> None:
        """Send keys as telephone events."""
        if self._closed:
            raise _cut_short()
        presses = [
            _Press(
                deque([*dtmf.press(key, KEY_FRAMES), *([[]] * KEY_PAUSE_FRAMES)]),
                asyncio.get_running_loop().create_future(),
            )
            for key in keys
        ]
        self._to_press.extend(presses)
        for press in presses:
            await press.done

    async def next_frame(self) -> None:
        """Wait until something was received (or the stream closed)."""
        self._heard.clear()
        await self._heard.wait()

    async def _send_forever(self) -> None:
        """Absolute deadlines:

        a late frame is followed at once by the next, so the far end's clock never slips.
        """
        deadline = time.monotonic()
        while True:
            late_s = time.monotonic() - deadline
            self.worst_late_s = max(self.worst_late_s, late_s)
            self._tick()
            deadline += FRAME_S
            await asyncio.sleep(max(0.0, deadline - time.monotonic()))

    def _tick(self) -> None:
        if self._to_press:
            self._tick_key(self._to_press[0])
        else:
            self._tick_audio()
        self._timestamp += FRAME_SAMPLES

    def _tick_audio(self) -> None:
        if not self._to_say:
            self._talking = False
            if not self.held:
                self._transmit_audio(_SILENT_FRAME)
            return
        utterance = self._to_say[0]
        start = len(utterance.sent_at) * FRAME_SAMPLES
        frame = utterance.samples[start : start + FRAME_SAMPLES]
        if len(frame):
            utterance.sent_at.append(time.monotonic())
            self.sent.append(Sent(utterance.sent_at[-1], frame))
            self._transmit_audio(frame, marker=not self._talking)
            self._talking = True
        if start + FRAME_SAMPLES >= len(utterance.samples):
            self._to_say.popleft()
            if not utterance.done.done():
                utterance.done.set_result(None)

    def _tick_key(self, press: _Press) -> None:
        if press.timestamp is None:
            press.timestamp = self._timestamp
        events = press.steps.popleft()
        if not events:  # the pause after a key
            self._transmit_audio(_SILENT_FRAME)
        for number, event in enumerate(events):
            remote_type = self.remote.dtmf_payload_type if self.remote else None
            payload_type = sdp.DTMF_PAYLOAD_TYPE if remote_type is None else remote_type
            first = number == 0 and event.duration_samples == FRAME_SAMPLES
            self._transmit(payload_type, dtmf.build(event), press.timestamp, marker=first)
        if not press.steps:
            self._to_press.popleft()
            if not press.done.done():
                press.done.set_result(None)

    def _transmit_audio(self, frame: Samples, *, marker: bool = False) -> None:
        if self.remote is not None:
            law = self.remote.law
            self._transmit(law.payload_type, law.encode(frame), self._timestamp, marker=marker)

    def _transmit(self, payload_type: int, payload: bytes, timestamp: int, *, marker: bool) -> None:
        if self.remote is None or not self.remote.wants_audio or self._faults.no_rtp:
            return
        packet = rtp.Packet(payload_type, self._seq, timestamp, self._ssrc, payload, marker)
        self._seq += 1
        data = self._faults.mangle_rtp(rtp.build(packet))
        self._socket.send(data, (str(self.remote.address), self.remote.port))

    def _datagram(self, data: bytes, source: Address, at: float) -> None:
        packet = rtp.parse(data)
        if packet is None:
            self.ignored_datagrams += 1
            return
        self.received.append(Received(at, packet))
        law = g711.LAWS.get(packet.payload_type)
        if law is not None and self._is_new(packet):
            self.meter.feed(law.decode(packet.payload), at, RATE_HZ)
        elif packet.payload_type in _DYNAMIC_TYPES:
            self.keys.feed(packet, at)
        self._heard.set()

    def _is_new(self, packet: rtp.Packet) -> bool:
        """Whether a packet comes after all that was heard:

        a copy or a straggler is not heard again.
        """
        newest, self._newest = self._newest, (packet.ssrc, packet.seq)
        if newest is None or newest[0] != packet.ssrc or rtp.ahead(packet.seq, newest[1]) > 0:
            return True
        self._newest = newest
        return False


def _cut_short() -> CallEnded:
    return CallEnded("the call ended before everything was said")


def _even_port(local_ip: str, on_datagram: Callable[[bytes, Address, float], None]) -> UdpSocket:
    """A random even port of the address."""
    for _ in range(_EVEN_PORT_TRIES):
        candidate = UdpSocket(local_ip, 0, on_datagram)
        if candidate.address[1] % 2 == 0:
            break
        candidate.close()
    return candidate

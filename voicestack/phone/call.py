"""One call: what a person does with a handset, with times."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voicestack.phone import audio
from voicestack.phone.errors import CallEnded, PhoneError
from voicestack.phone.measure import speech_bounds_s
from voicestack.phone.media import MediaStream
from voicestack.phone.transaction import Arrived
from voicestack.phone.wire import sdp, sip
from voicestack.phone.wire.g711 import FRAME_S, RATE_HZ, Samples
from voicestack.phone.wire.sip import Address, Dialog, SipRequest, SipResponse

# An agent that pauses longer than this has finished: pauses between sentences of a voice are
# 0.3-0.8 s.
UNTIL_QUIET_S = 1.2
LISTEN_TIMEOUT_S = 15.0
# A reply that is longer than this does not end by itself.
LONGEST_REPLY_S = 60.0
# How phones held before RFC 3264, and some still do: the address that nothing can be sent to.
OLD_HOLD = "0.0.0.0"  # noqa: S104 - in an SDP, never bound


@dataclass(slots=True)
class Timing:
    """When the steps of the set-up happened, on the monotonic clock."""

    invite_at: float
    trying_at: float | None = None
    ringing_at: float | None = None
    answered_at: float | None = None

    def note(self, status: int, at: float) -> None:
        """Remember the first response of each kind."""
        if status == 100:
            self.trying_at = self.trying_at or at
        elif status < 200:
            self.ringing_at = self.ringing_at or at
        elif status < 300:
            self.answered_at = self.answered_at or at

    def _ms(self, at: float | None) -> float | None:
        return None if at is None else 1000 * (at - self.invite_at)

    @property
    def trying_ms(self) -> float | None:
        """INVITE to 100; None if it never came."""
        return self._ms(self.trying_at)

    @property
    def ringing_ms(self) -> float | None:
        """INVITE to the first 18x."""
        return self._ms(self.ringing_at)

    @property
    def answered_ms(self) -> float | None:
        """INVITE to 200."""
        return self._ms(self.answered_at)


@dataclass(frozen=True, slots=True)
class Said:
    """When an utterance went out:

    from the packet with its first audible sample to the one with its last.
    """

    speech_started_at: float
    speech_ended_at: float
    finished_at: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back. Without audio the times are None."""

    first_audio_at: float | None
    last_audio_at: float | None
    samples: Samples  # 8 kHz, from `since` on

    def latency_ms(self, said: Said) -> float | None:
        """From the last audible sample of the caller to the first one of the reply."""
        if self.first_audio_at is None:
            return None
        return 1000 * (self.first_audio_at - said.speech_ended_at)


@dataclass(frozen=True, slots=True)
class Line:
    """What a call needs of the phone: requests with answers, plain sends, and what to offer."""

    ask: Callable[[Dialog, SipRequest], Awaitable[Arrived]]
    tell: Callable[[SipRequest | SipResponse, Address], None]
    formats: tuple[tuple[int, str], ...]
    advertised_ip: str


class Call:
    """An answered call. `ended` is set when either side hangs up; `end_reason` says why."""

    def __init__(self, line: Line, dialog: Dialog, media: MediaStream, timing: Timing) -> None:
        self.timing = timing
        self.dialog = dialog
        self.media = media
        self.ended = asyncio.Event()
        self.referred_to: str | None = None  # where the far end wants us to call instead
        self.end_reason: str | None = None
        self.ended_at: float | None = None
        self._line = line
        self._since = timing.answered_at or timing.invite_at
        self._sdp_version = 1

    async def __aenter__(self) -> Call:
        """Hang up at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hang_up()

    async def say(self, speech: Path | Samples, *, rate_hz: int = RATE_HZ) -> Said:
        """Speak in real time; silence goes on afterwards."""
        self._must_be_up()
        samples, (start_s, end_s) = await asyncio.to_thread(_prepare, speech, rate_hz)
        sent_at = await self.media.say(samples)
        # 2.3 s in frames of 0.02 s are 115.00000000000001 of them.
        last = min(len(sent_at), max(1, int(np.ceil(end_s / FRAME_S)))) - 1
        self._since = sent_at[last]
        return Said(sent_at[int(start_s / FRAME_S)], self._since, sent_at[-1])

    async def listen(
        self,
        *,
        until_quiet_s: float = UNTIL_QUIET_S,
        timeout_s: float = LISTEN_TIMEOUT_S,
        longest_s: float = LONGEST_REPLY_S,
        since: float | None = None,
    ) -> Heard:
        """Hear a reply to its end: sound that starts after `since`.

        By default that is the end of our last speech or of what was heard since. `timeout_s` is
        the longest wait for the reply to start, `longest_s` the longest reply that is heard out.
        """
        since = self._since if since is None else since
        give_up_at = time.monotonic() + timeout_s
        meter = self.media.meter
        while not self.ended.is_set():
            first, last = meter.first_audio_after(since), meter.last_audio_after(since)
            now = time.monotonic()
            if first is None and now >= give_up_at:
                break
            heard_out = last is not None and now - last >= until_quiet_s
            if first is not None and (heard_out or now - first >= longest_s):
                break
            await self._next_frame(UNTIL_QUIET_S)
        first = meter.first_audio_after(since)
        last = None if first is None else meter.last_audio_after(first)
        self._since = last or self._since
        # In a thread: a pause here would make our own RTP late.
        received = list(self.media.received)
        samples = await asyncio.to_thread(audio.heard_between, received, since, last)
        return Heard(first, last, samples)

    async def first_audio(self, *, timeout_s: float, since: float | None = None) -> float | None:
        """Wait only until the far end starts to speak."""
        since = self._since if since is None else since
        give_up_at = time.monotonic() + timeout_s
        while (first := self.media.meter.first_audio_after(since)) is None:
            left_s = give_up_at - time.monotonic()
            if left_s <= 0 or self.ended.is_set():
                return None
            await self._next_frame(left_s)
        return first

    async def _next_frame(self, timeout_s: float) -> None:
        """A dead stream must not stop the clock of whoever waits."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.media.next_frame()
        except TimeoutError:
            return

    async def send_dtmf(self, keys: str) -> None:
        """Press keys; RFC 4733 events."""
        self._must_be_up()
        await self.media.press(keys)

    @property
    def dtmf_received(self) -> str:
        """The keys that the far end pressed."""
        return self.media.keys.keys

    async def hold(self, direction: str = "sendonly") -> None:
        """Put the far end on hold: sendonly, inactive, or 0.0.0.0 as before RFC 3264.

        Then nothing is sent but what is said: a phone on hold is silent, an exchange plays music.
        """
        await self._reinvite(direction)
        self.media.held = True

    async def resume(self) -> None:
        """Take the far end off hold."""
        self.media.held = False
        await self._reinvite("sendrecv")

    async def hang_up(self) -> None:
        """Say BYE and wait for its answer; harmless when the call is over."""
        if self.ended.is_set():
            return
        self.finish("we hung up")
        try:
            await self._line.ask(self.dialog, self.dialog.request("BYE"))
        except PhoneError as error:
            self.end_reason = f"we hung up, but BYE was not answered: {error}"

    def finish(self, reason: str) -> None:
        """The call is over, whoever ended it."""
        if self.ended.is_set():
            return
        self.end_reason = reason
        self.ended_at = time.monotonic()
        self.ended.set()
        self.media.close()

    def acknowledge(self, response: SipResponse) -> None:
        """ACK a 2xx to our INVITE, first or repeated (RFC 3261 13.2.2.4)."""
        seq, _ = sip.cseq(response)
        self._line.tell(self.dialog.request("ACK", seq=seq), self.dialog.next_hop())

    async def _reinvite(self, direction: str) -> None:
        self._must_be_up()
        request = self.dialog.request("INVITE")
        request.text = self.describe(direction)
        request.set_header("Content-Type", "application/sdp")
        response = (await self._line.ask(self.dialog, request)).response
        if response.status_code >= 300:
            raise PhoneError(
                f"the far end refused re-INVITE: {response.status_code} {response.reason_phrase}"
            )
        self.dialog.retarget(response)
        self.acknowledge(response)
        self.media.start(sdp.read(response.text))

    def describe(self, direction: str = "sendrecv") -> str:
        """Our session description, a version newer each time (RFC 3264 8)."""
        self._sdp_version += 1
        old_hold = direction == OLD_HOLD
        return sdp.build(
            OLD_HOLD if old_hold else self._line.advertised_ip,
            self.media.address[1],
            formats=self._line.formats,
            direction="sendrecv" if old_hold else direction,
            version=self._sdp_version,
        )

    def accept_offer(self, text: str) -> str:
        """Take a new offer from the far end and answer it."""
        remote = sdp.read(text)
        self.media.start(remote)
        self._sdp_version += 1
        return sdp.build(
            self._line.advertised_ip,
            self.media.address[1],
            formats=sdp.formats_of((remote.law,), remote.dtmf_payload_type),
            direction=sdp.answer_direction(remote.direction),
            version=self._sdp_version,
        )

    def _must_be_up(self) -> None:
        if self.ended.is_set():
            raise CallEnded(f"the call is over: {self.end_reason}")


def _prepare(speech: Path | Samples, rate_hz: int) -> tuple[Samples, tuple[float, float]]:
    """Telephone samples, and where their speech starts and ends; a silent clip is all speech."""
    samples = audio.telephone_samples(speech, rate_hz)
    if not len(samples):
        raise PhoneError("there is nothing to say: the clip is empty")
    bounds = speech_bounds_s(samples, RATE_HZ)
    return samples, bounds or (0.0, len(samples) / RATE_HZ)

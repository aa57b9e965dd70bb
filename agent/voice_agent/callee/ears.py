"""Hears the other side before the conversation does: words, pauses and beeps, for the judge."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable

import numpy as np
from livekit import rtc
from livekit.agents import stt

from voice_agent.callee.beep import RATE_HZ, Beep, BeepDetector
from voice_agent.callee.judge import Callee, Verdict

log = logging.getLogger("voice_agent.callee")

# How often the judge is asked, also while nothing is heard: that pauses last is what counts.
LOOK_S = 0.05
FRAME_MS = 20
# The track of a phone is there within moments of its answer.
TRACK_S = 5.0


class Ears:
    """Speech recognition and a beep detector on one track, until closed."""

    def __init__(self, recogniser: stt.STT[str], callee: Callee) -> None:
        self.callee = callee
        self.beeped = asyncio.Event()
        self.beeps: list[Beep] = []
        self._stream = recogniser.stream()
        self._detector = BeepDetector()
        self._offset_s = time.monotonic() - time.time()

    async def listen(self, frames: AsyncIterator[rtc.AudioFrame]) -> None:
        """Hear until cancelled or the track ends; what fails is told, and the call goes on."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._hear(frames), name="callee audio")
                tasks.create_task(self._understand(), name="callee words")
        except* Exception as errors:
            reason = repr(errors.exceptions[0])
            log.warning("callee is not heard, it is taken for a person", extra={"reason": reason})
        finally:
            await self._stream.aclose()

    async def verdict(self) -> Verdict:
        """Wait until it is clear who picked up."""
        while True:
            if (found := self.callee.verdict(time.monotonic())) is not None:
                return found
            await asyncio.sleep(LOOK_S)

    async def quiet(self, quiet_s: float) -> None:
        """Wait until nothing has been said for so long."""
        while True:
            since = self.callee.quiet_since or self.callee.answered_at
            if self.callee.started_at is None and time.monotonic() - since >= quiet_s:
                return
            await asyncio.sleep(LOOK_S)

    async def _hear(self, frames: AsyncIterator[rtc.AudioFrame]) -> None:
        async for frame in frames:
            self._stream.push_frame(frame)
            if beep := self._detector.push(np.frombuffer(frame.data, np.int16)):
                self.beeps.append(beep)
                self.callee.beep()
                self.beeped.set()
        self._stream.end_input()  # he has hung up: what is left to understand ends soon

    async def _understand(self) -> None:
        async for event in self._stream:
            if event.type is stt.SpeechEventType.START_OF_SPEECH:
                self.callee.speech_started(time.monotonic())
                self.beeped.clear()  # it was none that ended the greeting
            elif event.type is stt.SpeechEventType.PREFLIGHT_TRANSCRIPT:
                self.callee.words(event.alternatives[0].text, time.monotonic(), final=False)
            elif event.type is stt.SpeechEventType.FINAL_TRANSCRIPT:
                text = event.alternatives[0].text if event.alternatives else ""
                ended_at = (event.speech_end_time or time.time()) + self._offset_s
                self.callee.words(text, ended_at, final=True, known_at=time.monotonic())


async def track_of(room: rtc.Room, caller: rtc.RemoteParticipant) -> rtc.Track | None:
    """Wait for the audio of the other side; None if there is none."""
    found: asyncio.Future[rtc.Track] = asyncio.get_running_loop().create_future()

    def check(*_: object) -> None:
        for each in caller.track_publications.values():
            if each.track and each.kind == rtc.TrackKind.KIND_AUDIO and not found.done():
                found.set_result(each.track)

    room.on("track_subscribed", check)
    try:
        check()
        async with asyncio.timeout(TRACK_S):
            return await found
    except TimeoutError:
        return None
    finally:
        room.off("track_subscribed", check)


@contextlib.asynccontextmanager
async def hearing(
    track: rtc.Track, recogniser: stt.STT[str], now: Callable[[], float] = time.monotonic
) -> AsyncIterator[Ears]:
    """Hear a track as long as the block lasts."""
    ears = Ears(recogniser, Callee(now()))
    async with frames_of(track) as frames:
        task = asyncio.create_task(ears.listen(frames), name="callee ears")
        try:
            yield ears
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@contextlib.asynccontextmanager
async def frames_of(track: rtc.Track) -> AsyncIterator[AsyncIterator[rtc.AudioFrame]]:
    """Hear a track as it comes."""
    audio = rtc.AudioStream.from_track(
        track=track, sample_rate=RATE_HZ, num_channels=1, frame_size_ms=FRAME_MS
    )

    async def frames() -> AsyncIterator[rtc.AudioFrame]:
        async for event in audio:
            yield event.frame

    try:
        yield frames()
    finally:
        await audio.aclose()

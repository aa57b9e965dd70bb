"""An engine that says what a test wants, and somebody who talks to a stream."""

import asyncio
from collections.abc import Callable

import numpy as np
from livekit import rtc
from livekit.agents import APIConnectOptions, stt
from livekit.plugins import faster_whisper
from livekit.plugins.faster_whisper.segmenter import WINDOW_SAMPLES

from faster_whisper_engine.transcriber import Request, Transcript

PATIENT = APIConnectOptions(max_retry=3, retry_interval=0.01, timeout=10.0)


def transcript(text: str, **changes: object) -> Transcript:
    """What an engine answers, unless the test says otherwise."""
    values: dict[str, object] = {
        "text": text,
        "language": "en",
        "language_prob": None,
        "confidence": 0.9,
        "avg_logprob": -0.1,
        "no_speech_prob": 0.0,
        "tokens": len(text.split()),
        "context_s": 8.0,
        "looks": 1,
        "reliable": True,
        "took_s": 0.0,
    }
    return Transcript(**{**values, **changes})  # type: ignore[arg-type]


class ScriptedEngine:
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.asked = asyncio.Event()
        self.answers: list[str | Exception] = []
        self.gate: asyncio.Event | None = None  # held answers
        self.given_up = 0

    def prewarm(self) -> None:
        """Nothing to load."""

    async def transcribe(self, request: Request) -> Transcript:
        """Take the next answer; without one, count the words of a number."""
        self.requests.append(request)
        self.asked.set()
        try:
            if self.gate is not None:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        answer = self.answers.pop(0) if self.answers else f"text {len(self.requests)}"
        if isinstance(answer, Exception):
            raise answer
        return transcript(answer)


class LoudIsSpeech:
    """A voice detector that hears speech where samples are loud."""

    def predict(self, window: np.ndarray) -> float:
        """Probability of speech in one window."""
        return 1.0 if np.abs(window).max() > 1000 else 0.0


class Talk:
    """A stream fed window by window, so that tests decide what is heard when."""

    def __init__(self, owner: faster_whisper.STT) -> None:
        self.stream = owner.stream(conn_options=PATIENT)
        self.events: list[stt.SpeechEvent] = []
        self._reader = asyncio.create_task(self._read())

    async def speak(self, windows: int) -> None:
        """Say something."""
        await self._push(8000, windows)

    async def silent(self, windows: int) -> None:
        """Say nothing."""
        await self._push(0, windows)

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for an event or a request that makes it true."""
        async with asyncio.timeout(10):
            while not done():  # noqa: ASYNC110 - what is awaited happens on this very loop
                await asyncio.sleep(0)

    def texts(self, kind: stt.SpeechEventType) -> list[str]:
        """Texts of the events of one kind, in order."""
        return [event.alternatives[0].text for event in self.events if event.type is kind]

    async def close(self) -> None:
        """End the input and wait for what is still to come."""
        self.stream.end_input()
        async with asyncio.timeout(10):
            await self._reader
        await self.stream.aclose()

    async def _push(self, level: int, windows: int) -> None:
        for _ in range(windows):
            data = np.full(WINDOW_SAMPLES, level, np.int16).tobytes()
            self.stream.push_frame(rtc.AudioFrame(data, 16_000, 1, WINDOW_SAMPLES))
            for _ in range(4):  # let the stream hear it before the next one
                await asyncio.sleep(0)

    async def _read(self) -> None:
        async for event in self.stream:
            self.events.append(event)

"""One caller's speech, live: guesses while he speaks, the words as soon as he stops.

At 32 ms of silence the utterance so far is decoded, in the silence that ends a turn anyway. If he
stays silent the guess goes out as PREFLIGHT (the reply may be prepared), and the very same string
as FINAL when the utterance ends. If he goes on, the guess was one more interim result.
"""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, stt
from livekit.local_inference import VAD

from faster_whisper_engine.transcriber import Priority, Request, Transcript
from faster_whisper_engine.whisper import RATE_HZ

from .engine import Engine, EngineError
from .log import logger
from .options import Options
from .said import Said
from .segmenter import WINDOW_SAMPLES, Change, Segmenter

WINDOW_BYTES = WINDOW_SAMPLES * 2
# The session starts at most three early replies a turn (PreemptiveGenerationOptions.max_retries).
MAX_PREFLIGHTS = 3
# A detected language is kept once this much speech agrees with this probability ...
SURE_AUDIO_S, SURE_LANGUAGE_PROB = 2.0, 0.5
# ... and looked for again below this confidence.
DOUBT_CONFIDENCE = 0.35
# Previous text that a cut utterance is continued with.
CARRY_CHARACTERS = 200


class SpeechStream(stt.RecognizeStream):
    """The streaming side of `STT`."""

    def __init__(
        self,
        *,
        owner: stt.STT[Any],
        engine: Engine,
        options: Options,
        language: str | None,
        conn_options: APIConnectOptions,
    ) -> None:
        super().__init__(stt=owner, conn_options=conn_options, sample_rate=RATE_HZ)
        self._engine, self._options = engine, options
        self._probability = VAD()
        self._segmenter = Segmenter(end_silence_s=options.end_silence_s)
        self._partial = bytearray()  # less than a window
        self._said: Said | None = None
        # Ended, not yet sent as FINAL; kept when an attempt fails, so that nothing said is lost.
        self._closing: deque[Said] = deque()
        self._input_over = False
        self._wake = asyncio.Event()
        self._fixed_language = self._language = language
        self._previous = ""
        self._offset_s: float | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def _run(self) -> None:
        """Read the audio and send what was said, until the input ends or the engine fails."""
        if self._offset_s is None:  # the audio's own clock goes on when an attempt is repeated
            self._offset_s = self.start_time_offset
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(), name="stt-read")
                tasks.create_task(self._send_finals(), name="stt-finals")
        except* EngineError as group:
            raise APIConnectionError(str(group.exceptions[0])) from group
        finally:
            for task in self._tasks:
                task.cancel()

    def options_changed(self) -> None:
        """Take a changed language over."""
        self._fixed_language = self._language = self._options.language

    # -- hearing ---------------------------------------------------------------------------------

    async def _read(self) -> None:
        async for item in self._input_ch:
            if isinstance(item, rtc.AudioFrame):
                self._hear(item)
            else:
                self._flush()
        self._flush()
        self._input_over = True
        self._wake.set()

    def _hear(self, frame: rtc.AudioFrame) -> None:
        self._partial += mono(frame)
        while len(self._partial) >= WINDOW_BYTES:
            window = bytes(self._partial[:WINDOW_BYTES])
            del self._partial[:WINDOW_BYTES]
            # 16 us a window (livekit-local-inference 0.2.7): cheaper than a hop to a thread.
            probability = float(self._probability.predict(np.frombuffer(window, np.int16)))
            for change in self._segmenter.push(window, probability):
                self._react(change)
            self._maybe_interim()

    def _react(self, change: Change) -> None:
        if change is Change.STARTED:
            self._start()
        elif change is Change.ENDED:
            self._end()
        elif self._said is not None and change is Change.PAUSED:
            self._guess(self._said)
        elif self._said is not None and change is Change.RESUMED:
            self._said.drop_guess()

    def _flush(self) -> None:
        """End the utterance now: the session has decided, or the input is over.

        Flush and our own end of speech both come for most utterances; the second finds nothing.
        """
        if self._segmenter.cut():
            self._end()

    def _start(self) -> None:
        assert self._segmenter.current is not None
        self._said = Said(self._segmenter.current)
        self._send(stt.SpeechEventType.START_OF_SPEECH, self._said)

    def _end(self) -> None:
        self._segmenter.ended.clear()
        said, self._said = self._said, None
        if said is None:
            return
        said.drop_interim()
        said.ended = True
        self._closing.append(said)
        self._wake.set()

    # -- guessing --------------------------------------------------------------------------------

    def _guess(self, said: Said) -> None:
        said.drop_interim()
        said.guess = self._spawn(self._transcribe(said, Priority.PREFLIGHT))
        said.guess.add_done_callback(lambda task: self._guessed(said, task))

    def _guessed(self, said: Said, task: "asyncio.Task[Transcript]") -> None:
        """Send a PREFLIGHT, unless the speaker went on meanwhile or the words are final already."""
        if task.cancelled() or (failure := task.exception()) is not None:
            if not task.cancelled():
                logger.warning("early decoding failed", extra={"error": str(failure)})
            return
        if task is not said.guess or said.ended or not task.result().text:
            return
        said.agreement.update(task.result().text)
        if said.preflights < MAX_PREFLIGHTS:
            said.preflights += 1
            self._send(stt.SpeechEventType.PREFLIGHT_TRANSCRIPT, said, task.result())

    def _maybe_interim(self) -> None:
        said = self._said
        if said is None or not self._options.interim_results or not said.interim_due():
            return
        said.interim = self._spawn(self._interim(said))

    async def _interim(self, said: Said) -> None:
        started_s = time.monotonic()
        try:
            found = await self._transcribe(said, Priority.INTERIM)
        except EngineError:  # the engine is behind; the next one comes in a second
            said.interim_took(time.monotonic() - started_s)
            return
        said.interim_took(time.monotonic() - started_s)
        current = said is self._said and not said.utterance.paused
        if found.reliable and said.agreement.update(found.text) and current:
            self._send(stt.SpeechEventType.INTERIM_TRANSCRIPT, said, found)

    # -- saying ----------------------------------------------------------------------------------

    async def _send_finals(self) -> None:
        """Send what ended, in the order in which it was said."""
        while True:
            while self._closing:
                said = self._closing[0]
                found = await self._final(said)
                self._closing.popleft()
                self._learn(said, found)
                self._send(stt.SpeechEventType.FINAL_TRANSCRIPT, said, found)
                self._send(stt.SpeechEventType.END_OF_SPEECH, said)
                self._send_usage(said, found)
            if self._input_over:
                return
            self._wake.clear()
            await self._wake.wait()

    async def _final(self, said: Said) -> Transcript:
        """The guess if it still holds, else a decoding of the whole."""
        if said.guess is not None:
            try:
                return await asyncio.shield(said.guess)
            except EngineError:
                said.guess = None
            except asyncio.CancelledError:
                if not said.guess.cancelled():
                    raise
                said.guess = None
        return await self._transcribe(said, Priority.FINAL)

    async def _transcribe(self, said: Said, priority: Priority) -> Transcript:
        prompt = self._options.prompt()
        if said.utterance.continues:
            prompt = f"{prompt} {self._previous[-CARRY_CHARACTERS:]}".strip()
        samples = np.frombuffer(bytes(said.utterance.audio), np.int16)
        return await self._engine.transcribe(Request(samples, priority, self._language, prompt))

    def _learn(self, said: Said, found: Transcript) -> None:
        """Remember the text for what follows, and a language that was found."""
        self._previous = found.text
        if self._fixed_language is not None:
            return
        if found.confidence < DOUBT_CONFIDENCE:
            self._language = None
        elif (
            found.language_prob is not None
            and found.language_prob >= SURE_LANGUAGE_PROB
            and said.utterance.speech_s >= SURE_AUDIO_S
        ):
            self._language = found.language

    def _send(self, kind: stt.SpeechEventType, said: Said, found: Transcript | None = None) -> None:
        if self._event_ch.closed:
            return
        interim = kind is stt.SpeechEventType.INTERIM_TRANSCRIPT
        event = stt.SpeechEvent(type=kind, request_id=said.id)
        if found is not None:
            text = said.agreement.text if interim else found.text
            offset_s = self._offset_s or 0.0
            event.alternatives = [said.data(found, text, offset_s)]
            event.speech_end_time = time.time() - (
                self._segmenter.clock_s - said.utterance.speech_end_s
            )
        self._event_ch.send_nowait(event)

    def _send_usage(self, said: Said, found: Transcript) -> None:
        usage = stt.RecognitionUsage(
            audio_duration=said.utterance.duration_s, output_tokens=found.tokens
        )
        self._event_ch.send_nowait(
            stt.SpeechEvent(
                type=stt.SpeechEventType.RECOGNITION_USAGE,
                request_id=said.id,
                recognition_usage=usage,
            )
        )

    def _spawn(self, work: "Coroutine[Any, Any, Any]") -> "asyncio.Task[Any]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def mono(frame: rtc.AudioFrame) -> bytes:
    """16-bit samples of one channel; several are averaged."""
    if frame.num_channels == 1:
        return bytes(frame.data)
    samples = np.frombuffer(frame.data, np.int16).reshape(-1, frame.num_channels)
    averaged: bytes = samples.mean(axis=1).astype(np.int16).tobytes()
    return averaged

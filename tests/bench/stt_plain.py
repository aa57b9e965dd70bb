"""What everybody builds first: faster-whisper's transcribe() behind the StreamAdapter."""

import asyncio
from typing import Any

import numpy as np
from faster_whisper import WhisperModel
from livekit import rtc
from livekit.agents import NOT_GIVEN, APIConnectOptions, NotGivenOr, inference, stt, utils

WHISPER_RATE_HZ = 16_000


class PlainWhisper(stt.STT[str]):
    """Defaults of the library: 30 s of context, beam of five, falling back by temperature."""

    def __init__(self, model: str, *, threads: int) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
        self._whisper = WhisperModel(
            model, compute_type="int8", cpu_threads=threads, local_files_only=True
        )

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        frame = rtc.combine_audio_frames(buffer)
        if frame.sample_rate != WHISPER_RATE_HZ:
            resampler = rtc.AudioResampler(frame.sample_rate, WHISPER_RATE_HZ)
            frame = rtc.combine_audio_frames([*resampler.push(frame), *resampler.flush()])
        samples = np.frombuffer(frame.data, np.int16).astype(np.float32) / 32768
        text = await asyncio.to_thread(self._transcribe, samples)
        data = stt.SpeechData(language="en", text=text)  # type: ignore[arg-type]
        return stt.SpeechEvent(type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[data])

    def _transcribe(self, samples: Any) -> str:
        segments, _ = self._whisper.transcribe(samples, language="en")
        return " ".join(segment.text.strip() for segment in segments)


def adapted(model: str, *, threads: int) -> stt.StreamAdapter:
    """Make it a stream, as the documentation shows."""
    return stt.StreamAdapter(stt=PlainWhisper(model, threads=threads), vad=inference.VAD())

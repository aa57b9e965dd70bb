"""Text to speech for the caller, speech to text for what the agent said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np

from voicestack.phone.audio import resample
from voicestack.phone.errors import PhoneError
from voicestack.phone.wire.g711 import RATE_HZ, Samples

# The rate of `response_format: pcm` in OpenAI's speech API.
TTS_RATE_HZ = 24_000
_TTS_TIMEOUT_S = 60.0
_WHISPER_RATE_HZ = 16_000


async def speak(url: str, text: str, *, model: str, voice: str, api_key: str = "") -> Samples:
    """Have the OpenAI-compatible server at `url` (ends in /v1) speak; samples at 24 kHz."""
    body = {"model": model, "voice": voice, "input": text, "response_format": "pcm"}
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    hint = "start the stack with `make up`, or say a WAV file instead of text"
    try:
        async with httpx.AsyncClient(timeout=_TTS_TIMEOUT_S) as client:
            answer = await client.post(f"{url}/audio/speech", json=body, headers=headers)
    except httpx.HTTPError as error:
        seen = str(error) or type(error).__name__
        raise PhoneError(f"text cannot be spoken: no voice at {url}: {seen}", hint=hint) from error
    if answer.status_code != httpx.codes.OK:
        raise PhoneError(
            f"text cannot be spoken: {url} answered {answer.status_code}: {answer.text[:200]}",
            hint="see the log of tts",
        )
    whole = len(answer.content) // 2 * 2
    samples = np.frombuffer(answer.content[:whole], dtype="<i2").astype(np.int16)
    if not len(samples):
        raise PhoneError(f"text cannot be spoken: {url} sent no audio", hint="see the log of tts")
    return samples


def transcriber(model: Path, language: str) -> Callable[[Samples], str]:
    """Load Whisper and return what turns 8 kHz samples into text. Slow: not during a call."""
    if not (model / "model.bin").is_file():
        raise PhoneError(
            f"nothing can be transcribed: {model} holds no model",
            hint="run `make up` once, or give --no-transcribe",
        )
    from faster_whisper import WhisperModel

    whisper = WhisperModel(str(model), device="cpu", compute_type="int8")

    def transcribe(samples: Samples) -> str:
        speech = resample(samples, RATE_HZ, _WHISPER_RATE_HZ).astype(np.float32) / 32768
        segments, _ = whisper.transcribe(
            speech,
            language=None if language == "auto" else language,
            beam_size=1,
            condition_on_previous_text=False,
        )
        return " ".join(segment.text.strip() for segment in segments)

    return transcribe

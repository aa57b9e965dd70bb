"""Sentences that are spoken the same way each time: made before the call, played from a file."""

import hashlib
import logging
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from livekit import rtc
from livekit.agents import AgentSession
from livekit.agents.voice import SpeechHandle

from voice_agent.settings import AgentSettings

log = logging.getLogger("voice_agent.sounds")

APOLOGY_TEXT = "I am sorry, something went wrong on my side. Could you say that again, please?"
# Shipped with the code, so that it can be heard while every model is down.
APOLOGY_FILE = Path(__file__).parent / "data" / "apology.wav"

FRAME_S = 0.02
RENDER_TIMEOUT_S = 10.0
RENDER_TRIES = 30


def greet(
    session: AgentSession[None],
    settings: AgentSettings,
    text: str,
    *,
    allow_interruptions: bool = True,
) -> SpeechHandle:
    """Say `text` from its file, or through the voice when the file could not be made."""
    file = cached(settings, text)
    if file.is_file():
        return session.say(text, audio=frames(file), allow_interruptions=allow_interruptions)
    return session.say(text, allow_interruptions=allow_interruptions)


def apologise(session: AgentSession[None]) -> SpeechHandle:
    """Say that something went wrong, without any model."""
    return session.say(APOLOGY_TEXT, audio=frames(APOLOGY_FILE), add_to_chat_ctx=False)


def cached(settings: AgentSettings, text: str) -> Path:
    """Return where the sound of `text` in the current voice lies."""
    voice = f"{settings.tts_url} {settings.tts_model} {settings.tts_voice} {text}"
    digest = hashlib.sha256(voice.encode()).hexdigest()[:16]
    return settings.state_dir / "sounds" / f"{digest}.wav"


def render(settings: AgentSettings, text: str) -> Path | None:
    """Have the voice speak `text` into its file; None when it does not answer."""
    file = cached(settings, text)
    for _ in range(RENDER_TRIES):
        if file.is_file():
            return file
        try:
            write_atomically(file, fetch(settings, text))
        except (httpx.HTTPError, wave.Error, EOFError) as error:
            log.info("greeting not made yet", extra={"reason": repr(error)})
            time.sleep(1.0)
    log.warning("greeting could not be made before the calls, the voice will speak it in each")
    return None


def fetch(settings: AgentSettings, text: str) -> bytes:
    """Ask the speech server for a WAV file (OpenAI API reference, "Create speech")."""
    response = httpx.post(
        f"{settings.tts_url.rstrip('/')}/audio/speech",
        json={
            "model": settings.tts_model,
            "voice": settings.tts_voice,
            "input": text,
            "response_format": "wav",
        },
        headers={"Authorization": f"Bearer {settings.tts_api_key}"},
        timeout=RENDER_TIMEOUT_S,
        verify=settings.tts_url.startswith("https://"),
    )
    response.raise_for_status()
    return response.content


def write_atomically(file: Path, content: bytes) -> None:
    """Write a whole WAV file or nothing: a half one would be played to callers."""
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_suffix(".part")
    half.write_bytes(content)
    with wave.open(str(half)) as check:
        if check.getsampwidth() != 2:
            raise wave.Error(f"{8 * check.getsampwidth()} bits per sample, expected 16")
    half.replace(file)


async def frames(file: Path) -> AsyncIterator[rtc.AudioFrame]:
    """Yield a 16-bit WAV file in frames of 20 ms."""
    with wave.open(str(file)) as sound:
        rate_hz, channels = sound.getframerate(), sound.getnchannels()
        size = int(rate_hz * FRAME_S)
        while data := sound.readframes(size):
            yield rtc.AudioFrame(
                data=data,
                sample_rate=rate_hz,
                num_channels=channels,
                samples_per_channel=len(data) // (2 * channels),
            )

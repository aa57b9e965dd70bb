"""Voice: a known sentence, listened to: is there sound, is it speech, has it the right rate."""

import time
from dataclasses import dataclass

import httpx
import numpy as np

from voicestack.diagnosis.legs.thinking import TIMEOUT_S, Facts, bearer, failure, judge_server
from voicestack.diagnosis.model import Check, Context, Finding, Verdict
from voicestack.phone.measure import level_db, speech_bounds_s
from voicestack.phone.voices import TTS_RATE_HZ
from voicestack.phone.wire.g711 import Samples

LEG = "speaking"
SENTENCE = "What are your opening hours, please?"
# 36 characters. Voices speak 11 to 22 characters a second (Piper: 16); at 8, 16 or 48 kHz the same
# samples would last a third, two thirds or twice as long, so the bounds lie between.
FASTEST_S, SLOWEST_S = 1.3, 4.2
SILENT_DB = -60.0
# White noise crosses zero at every second sample, speech at a tenth or less of them.
NOISE_CROSSINGS = 0.35


@dataclass(frozen=True, slots=True)
class Sound:
    """What the voice said, measured."""

    server: Facts
    level_db: float = 0.0
    speech_s: float = 0.0
    crossings: float = 0.0  # share of samples at which the sign changes


async def look(context: Context) -> Sound:
    """Have the sentence spoken and measure it."""
    conf = context.settings
    url = conf.tts_url or f"http://127.0.0.1:{context.ports['tts']}/v1"
    body = {"model": conf.tts_model, "voice": conf.tts_voice, "input": SENTENCE}
    body["response_format"] = "pcm"
    started_s = time.monotonic()
    first_s: float | None = None
    data = b""
    try:
        async with (
            httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client,
            client.stream(
                "POST", f"{url}/audio/speech", json=body, headers=bearer(conf.tts_api_key_file)
            ) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                text = (await answer.aread()).decode(errors="replace")[:120]
                return Sound(Facts("status", answer.status_code, text))
            if answer.headers.get("content-type", "").startswith(("text/", "application/json")):
                return Sound(Facts("stranger", text=answer.headers["content-type"]))
            async for piece in answer.aiter_bytes():
                first_s = first_s or time.monotonic() - started_s
                data += piece
    except httpx.HTTPError as error:
        return Sound(failure(error))
    samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.int16)
    context.facts["sentence"] = samples
    return measure(samples, first_s or 0.0)


def measure(samples: Samples, took_s: float) -> Sound:
    """Loudness, length of speech, and how much like noise it is."""
    if not len(samples):
        return Sound(Facts("empty"))
    bounds = speech_bounds_s(samples, TTS_RATE_HZ)
    signs = np.signbit(samples)
    crossings = float(np.mean(signs[1:] != signs[:-1])) if len(samples) > 1 else 0.0
    speech_s = bounds[1] - bounds[0] if bounds else 0.0
    return Sound(Facts(took_s=took_s), level_db(samples), speech_s, crossings)


def judge(sound: Sound) -> Verdict:
    """The server first, then what can be heard."""
    if found := judge_server("TTS", sound.server):
        return found
    if sound.level_db < SILENT_DB:
        return [Finding("TTS009", f"level {sound.level_db:.0f} dB below full scale")]
    if sound.crossings > NOISE_CROSSINGS:
        return [Finding("TTS011", f"{sound.crossings:.0%} of the samples change sign")]
    if not FASTEST_S <= sound.speech_s <= SLOWEST_S:
        seen = f"{len(SENTENCE)} characters in {sound.speech_s:.1f} s"
        return [Finding("TTS010", f"{seen}, expected {FASTEST_S:g} to {SLOWEST_S:g} s")]
    return []


CHECKS = (Check("speaking", LEG, "voice", look, judge, needs=("processes:tts",), limit_s=6.0),)

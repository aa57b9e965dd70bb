"""How right the words are, and what is heard where nobody speaks. As fast as the engine goes."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import jiwer
import numpy as np
from livekit import rtc
from livekit.agents import stt
from livekit.plugins import faster_whisper
from numpy.typing import NDArray

from faster_whisper_engine import quality
from faster_whisper_engine.transcriber import (
    MAX_CONTEXT_S,
    Request,
    Transcriber,
    Transcript,
    runaway,
)
from faster_whisper_engine.whisper import Whisper
from tests.speech import RATE_HZ, Utterance, over_the_phone

Samples = NDArray[np.int16]
# How the reference writes what people say: Whisper has digits and symbols where a reader has words.
SPOKEN = {
    "10": "ten", "4": "four", "7": "seven", "8": "eight", "mr": "mister", "%": " percent",
    "29340": "two nine three four zero",
}  # fmt: skip
_bare = jiwer.Compose(
    [
        jiwer.ToLowerCase(),
        jiwer.SubstituteRegexes({r"[-—–]": " ", r"[^\w\s%']": ""}),
        jiwer.SubstituteWords(SPOKEN),
        jiwer.RemoveMultipleSpaces(),
        jiwer.Strip(),
    ]
)


def bare(text: str) -> str:
    """The words alone."""
    plain: str = _bare(text)
    return plain


def wer(pairs: list[tuple[str, str]]) -> float:
    """Word error rate over (reference, heard), in percent."""
    kept = [(bare(reference), bare(heard)) for reference, heard in pairs if bare(reference)]
    if not kept:
        return 0.0
    measured = jiwer.process_words([each[0] for each in kept], [each[1] for each in kept])
    return 100.0 * measured.wer


@dataclass(frozen=True, slots=True)
class Heard:
    """One stretch of audio: by the plugin's policy, and greedily in 30 s of context."""

    name: str
    truth: str | None  # exact words, where they are known
    known: str  # those, or what beam 5 found in the recording as it was made; empty: cut off
    found: Transcript
    reference: str
    reference_runs_away: bool


def compare(model: Whisper, pieces: Iterator[tuple[str, str | None, str, Samples]]) -> list[Heard]:
    """Decode every piece both ways."""
    transcriber = Transcriber(model)
    results = []
    for name, truth, known, samples in pieces:
        found = transcriber.transcribe(Request(samples))
        encoded = model.encode(samples.astype(np.float32) / 32768.0, MAX_CONTEXT_S)
        full = model.decode(encoded, language="en", prompt="", max_tokens=224)
        results.append(Heard(name, truth, known, found, full.text, runaway(full)))
    return results


def runs_away(heard: Heard) -> bool:
    """Whether far more was written than was said, or the same over and over.

    Greedy decoding in 30 s leaves sentences out: the longer of the two references counts.
    """
    if quality.compression(heard.found.text) > quality.MAX_COMPRESSION:
        return True
    expected = max(len(bare(each).split()) for each in (heard.reference, heard.known))
    return len(bare(heard.found.text).split()) > 1.5 * expected + 3


def pieces(utterances: list[Utterance]) -> Iterator[tuple[str, str | None, str, Samples]]:
    """Each utterance as recorded, over the phone, and cut off in the middle of a word."""
    random = np.random.default_rng(1)
    for each in utterances:
        truth = each.text if each.truth == "exact" else None
        samples = each.samples()
        yield f"{each.name} clean", truth, each.text, samples
        yield f"{each.name} phone", truth, each.text, over_the_phone(samples)
        cut = int(random.uniform(0.3, 0.9) * len(samples))
        yield f"{each.name} cut", None, "", over_the_phone(samples)[:cut]


def noises(seconds: float) -> dict[str, Samples]:
    """Ten kinds of nobody speaking, each for a tenth of the time."""
    count = int(seconds / 10 * RATE_HZ)
    random = np.random.default_rng(2)
    at_s = np.arange(count) / RATE_HZ
    white = random.normal(0, 1, count)
    brown = np.cumsum(white)
    brown = (brown - np.convolve(brown, np.ones(1600) / 1600, "same")) / 30
    hum = sum(np.sin(2 * np.pi * 50 * n * at_s) / n for n in (1, 2, 3, 5, 7))
    clicks = (random.uniform(size=count) < 2 / RATE_HZ) * 1.0
    rings = np.sin(2 * np.pi * 425 * at_s) * (at_s % 5 < 1)
    keys = (np.sin(2 * np.pi * 770 * at_s) + np.sin(2 * np.pi * 1336 * at_s)) * (at_s % 2 < 0.2)
    breath = white * np.clip(np.sin(2 * np.pi * 0.3 * at_s), 0, 1) ** 2
    kinds: dict[str, Callable[[], NDArray[np.float64]]] = {
        "digital silence": lambda: white * 0,
        "white noise -50 dB": lambda: white * 0.003,
        "white noise -30 dB": lambda: white * 0.03,
        "white noise -20 dB": lambda: white * 0.1,
        "rumble": lambda: brown * 0.1,
        "mains hum": lambda: hum * 0.1,
        "clicks": lambda: np.convolve(clicks, np.exp(-np.arange(160) / 20), "same") * 0.5,
        "ring-back tone": lambda: rings * 0.2,
        "keys": lambda: keys * 0.2,
        "breath": lambda: breath * 0.05,
    }
    return {name: (make().clip(-1, 1) * 32767).astype(np.int16) for name, make in kinds.items()}


async def words_in(recogniser: faster_whisper.STT, samples: Samples) -> int:
    """Count the words of all finals and early texts of one recording."""
    stream = recogniser.stream()
    step = RATE_HZ // 10
    for first in range(0, len(samples), step):
        piece = samples[first : first + step]
        stream.push_frame(rtc.AudioFrame(piece.tobytes(), RATE_HZ, 1, len(piece)))
        await asyncio.sleep(0)
    stream.end_input()
    words = 0
    wanted = (stt.SpeechEventType.FINAL_TRANSCRIPT, stt.SpeechEventType.PREFLIGHT_TRANSCRIPT)
    async for event in stream:
        if event.type in wanted:
            words += len(event.alternatives[0].text.split())
    await stream.aclose()
    return words


def words_without_detector(model: Whisper, samples: Samples) -> int:
    """What the gate alone lets through, were the voice detector fooled all the time."""
    transcriber = Transcriber(model)
    step = 5 * RATE_HZ
    parts = [samples[first : first + step] for first in range(0, len(samples) - step + 1, step)]
    return sum(len(transcriber.transcribe(Request(part)).text.split()) for part in parts)

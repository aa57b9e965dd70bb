"""How much context an utterance gets, which result is believed, and when to say nothing."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from . import quality
from .features import Samples
from .whisper import MAX_CONTEXT_S, RATE_HZ, Decoded, Whisper, confidence

# Below 8 s of context the decoder loses its way in one utterance of five; from there on the
# encoder is cheaper than ten tokens of text.
MIN_CONTEXT_S = 8.0
# Silence that the model sees after the last word; it is how it knows that the end has come.
ROOM_S = 2.0
# The second look, at a quarter of the cost of 30 s: over 160 stretches of speech, clean and over
# the phone, the words were as right as with 30 s.
SECOND_CONTEXT_S = 15.0
# Below this mean log probability a result is looked at again. -0.6 looks at half as many again
# and gets no word right by it.
DOUBT_LOGPROB = -0.8
# openai-whisper, transcribe.py, `no_speech_threshold` and `logprob_threshold`.
NO_SPEECH_PROB = 0.6
NO_SPEECH_LOGPROB = -1.0
# Digital silence scores 0.90 and -0.6 ("you"); recorded speech stays below 0.5.
SURE_NO_SPEECH_PROB, DOUBTED_LOGPROB = 0.85, -0.5
# Nothing said with less than this is worth passing on, whatever the no-speech token says:
# noise and hum score below -1.9, mumbled speech above -1.2.
NOISE_LOGPROB = -1.5
# Accuracy with short context was measured for English only; CTranslate2 issue 2100 reports losses
# in other languages.
SHORT_CONTEXT_LANGUAGES = frozenset({"en"})


class Priority(IntEnum):
    """Who goes first. A caller waits for the end of a turn; interim text is a courtesy."""

    FINAL = 0
    PREFLIGHT = 1
    INTERIM = 2


@dataclass(frozen=True, slots=True)
class Request:
    """One stretch of speech to be written down."""

    samples: NDArray[np.int16]
    priority: Priority = Priority.FINAL
    language: str | None = "en"
    prompt: str = ""

    @property
    def audio_s(self) -> float:
        """Length of the audio."""
        return len(self.samples) / RATE_HZ


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said, and how it was found out."""

    text: str
    language: str
    language_prob: float | None
    confidence: float
    avg_logprob: float
    no_speech_prob: float
    tokens: int
    context_s: float
    looks: int  # how often the audio was decoded
    reliable: bool  # False: even the last look had signs of a lost decoder
    took_s: float


class AbandonedError(Exception):
    """Nobody waits for the result any more."""


class Transcriber:
    """Applies the policy to a model. Called from the engine's threads."""

    def __init__(self, model: Whisper) -> None:
        self._model = model

    def transcribe(
        self, request: Request, abandoned: Callable[[], bool] = lambda: False
    ) -> Transcript:
        """Write down one utterance; looks again, with more context, at what seems wrong."""
        started_s = time.perf_counter()
        samples = request.samples.astype(np.float32) / 32768.0
        looks: list[tuple[Decoded, float]] = []
        for context_s in contexts(request):
            if abandoned():
                raise AbandonedError
            if len(looks) == 2 and not all(runaway(each) for each, _ in looks):
                break  # the whole context is for those that are lost without it
            looks.append((self._look(samples, request, context_s, abandoned), context_s))
            if not doubtful(looks[-1][0]):
                break
        best = max(looks, key=lambda look: _merit(look[0]))
        return _judged(*best, looks=len(looks), took_s=time.perf_counter() - started_s)

    def _look(
        self,
        samples: Samples,
        request: Request,
        context_s: float,
        abandoned: Callable[[], bool],
    ) -> Decoded:
        encoded = self._model.encode(samples, context_s)
        if abandoned():  # the encoder is half of the work
            raise AbandonedError
        return self._model.decode(
            encoded,
            language=request.language,
            prompt=request.prompt,
            max_tokens=quality.max_tokens(request.audio_s),
        )


def contexts(request: Request) -> list[float]:
    """Contexts to try in turn. Interim text gets one look: the next one comes in a second."""
    if request.language not in SHORT_CONTEXT_LANGUAGES and request.language is not None:
        return [MAX_CONTEXT_S]
    first = min(max(request.audio_s + ROOM_S, MIN_CONTEXT_S), MAX_CONTEXT_S)
    if request.priority is Priority.INTERIM:
        return [first]
    more = (SECOND_CONTEXT_S, MAX_CONTEXT_S)
    return [first, *(each for each in more if each > first + 1.0)]


def doubtful(decoded: Decoded) -> bool:
    """Tell whether a result shows signs of a lost decoder."""
    return (
        runaway(decoded) or quality.stutters(decoded.tokens) or decoded.avg_logprob < DOUBT_LOGPROB
    )


def runaway(decoded: Decoded) -> bool:
    """Tell whether the decoder went on beyond what was said."""
    return (
        decoded.capped
        or quality.loops(decoded.tokens)
        or quality.compression(decoded.text) > quality.MAX_COMPRESSION
    )


def _merit(each: Decoded) -> tuple[bool, bool, float]:
    """Prefer what does not run away, then what does not stutter, then the likeliest."""
    return not runaway(each), not quality.stutters(each.tokens), each.avg_logprob


def _judged(decoded: Decoded, context_s: float, *, looks: int, took_s: float) -> Transcript:
    silent = (
        (decoded.no_speech_prob > NO_SPEECH_PROB and decoded.avg_logprob < NO_SPEECH_LOGPROB)
        or (decoded.no_speech_prob > SURE_NO_SPEECH_PROB and decoded.avg_logprob < DOUBTED_LOGPROB)
        or decoded.avg_logprob < NOISE_LOGPROB
    )
    lost = runaway(decoded)
    # A loop that survived 30 s of context is noise, not speech.
    text = "" if silent or lost else decoded.text
    return Transcript(
        text=text,
        language=decoded.language,
        language_prob=decoded.language_prob,
        confidence=confidence(decoded.avg_logprob),
        avg_logprob=decoded.avg_logprob,
        no_speech_prob=decoded.no_speech_prob,
        tokens=len(decoded.tokens),
        context_s=context_s,
        looks=looks,
        reliable=not lost and not silent,
        took_s=took_s,
    )

"""Which context an utterance gets, and which result is believed."""

import numpy as np
import pytest

from faster_whisper_engine.transcriber import (
    AbandonedError,
    Priority,
    Request,
    Transcriber,
    contexts,
)
from faster_whisper_engine.whisper import Decoded


def decoded(text: str = "hello", logprob: float = -0.2, **changes: object) -> Decoded:
    """What a decoder found."""
    values: dict[str, object] = {
        "text": text,
        "tokens": tuple(range(len(text.split()))),
        "avg_logprob": logprob,
        "no_speech_prob": 0.0,
        "capped": False,
        "language": "en",
        "language_prob": None,
    }
    return Decoded(**{**values, **changes})  # type: ignore[arg-type]


class ScriptedModel:
    """Gives the next result at each look and notes the contexts."""

    def __init__(self, *results: Decoded) -> None:
        self.results = list(results)
        self.contexts: list[float] = []

    def encode(self, samples: object, context_s: float) -> object:
        """Note the context."""
        self.contexts.append(context_s)
        return object()

    def decode(self, encoded: object, **_: object) -> Decoded:
        """Give the next result."""
        return self.results.pop(0)


def ask(seconds: float, **changes: object) -> Request:
    """A request of that length."""
    return Request(np.zeros(int(seconds * 16_000), np.int16), **changes)  # type: ignore[arg-type]


def run(model: ScriptedModel, request: Request) -> str:
    """Transcribe with a scripted model."""
    return Transcriber(model).transcribe(request).text  # type: ignore[arg-type]


def test_good_text_needs_one_look() -> None:
    """Most utterances are decoded once, in short context."""
    model = ScriptedModel(decoded("ten of clubs"))
    assert run(model, ask(2.0)) == "ten of clubs"
    assert model.contexts == [8.0]


@pytest.mark.parametrize(
    "first",
    [
        decoded("the end", capped=True),
        decoded("a b", tokens=(1, 2) * 6),
        decoded("on and on and " * 12),
        decoded("mumbled", logprob=-0.9),
    ],
    ids=["no end", "loop", "compressible", "unlikely"],
)
def test_doubtful_text_is_looked_at_again_with_more_context(first: Decoded) -> None:
    """The second look decides."""
    model = ScriptedModel(first, decoded("what was said"))
    assert run(model, ask(2.0)) == "what was said"
    assert len(model.contexts) == 2
    assert model.contexts[1] > model.contexts[0]


def test_the_likeliest_text_wins_when_all_are_doubtful() -> None:
    """A second look may be worse than the first."""
    model = ScriptedModel(
        decoded("first", logprob=-0.9), decoded("second", logprob=-1.0), decoded("third", -0.1)
    )
    assert run(model, ask(2.0)) == "first"
    assert len(model.contexts) == 2


def test_only_lost_text_is_worth_the_whole_context() -> None:
    """30 s of context cost half a second; loops that survive 15 s need them."""
    model = ScriptedModel(decoded(capped=True), decoded(capped=True), decoded("what was said"))
    assert run(model, ask(2.0)) == "what was said"
    assert model.contexts == [8.0, 15.0, 30.0]


def test_interim_text_gets_one_look() -> None:
    """The next one comes in a second anyway."""
    model = ScriptedModel(decoded("half a", capped=True))
    run(model, ask(2.0, priority=Priority.INTERIM))
    assert len(model.contexts) == 1


@pytest.mark.parametrize(
    "each",
    [
        decoded("you", logprob=-1.2, no_speech_prob=0.7),
        decoded("I'm sorry.", logprob=-1.9),
        decoded("you you you you you you you you", tokens=(1,) * 8),
    ],
    ids=["no speech", "very unlikely", "loop to the last"],
)
def test_noise_says_nothing(each: Decoded) -> None:
    """Text that nobody said is dropped, whatever the words."""
    assert run(ScriptedModel(each, each, each), ask(1.0)) == ""


def test_a_quiet_thank_you_is_kept() -> None:
    """There is no list of forbidden phrases."""
    assert run(ScriptedModel(decoded("Thank you.", -0.4, no_speech_prob=0.7)), ask(1.0))


def test_other_languages_get_the_whole_context() -> None:
    """Short context was measured for English only."""
    assert contexts(ask(2.0, language="ko")) == [30.0]


def test_abandoned_requests_stop_between_steps() -> None:
    """The decoder is not started for nobody."""
    model = ScriptedModel()
    with pytest.raises(AbandonedError):
        Transcriber(model).transcribe(ask(2.0), lambda: bool(model.contexts))  # type: ignore[arg-type]
    assert len(model.contexts) == 1

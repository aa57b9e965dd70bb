"""Signs of a decoder that lost the audio."""

import pytest

from faster_whisper_engine import quality


@pytest.mark.parametrize(
    "tokens",
    [
        (1,) * 8,
        (5, 1, 2, 1, 2, 1, 2, 1, 2, 9),
        (1, 2, 3, 4, 5) * 3,
        tuple(range(12)) * 2,
    ],
)
def test_repeated_phrases_are_loops(tokens: tuple[int, ...]) -> None:
    """A phrase said over and over is the decoder's, not the caller's."""
    assert quality.loops(tokens)


@pytest.mark.parametrize(
    "tokens",
    [
        (),
        (7, 7, 7),  # no, no, no
        (1, 2, 1, 2, 1, 2),  # thank you, thank you, thank you
        (1, 2, 3, 4, 5, 1, 2, 3, 4, 5),  # said twice
        (3, 3, 4, 6, 9, 2),  # digits
    ],
)
def test_people_repeat_themselves_too(tokens: tuple[int, ...]) -> None:
    """What a person may well say is no loop."""
    assert not quality.loops(tokens)


def test_repeated_text_packs_well() -> None:
    """The threshold of openai-whisper separates the two."""
    assert quality.compression("on this day " * 20) > quality.MAX_COMPRESSION
    assert quality.compression("And how much might be prudently in his power") < 2.0
    assert quality.compression("") == 0.0


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ((9, 1, 2, 3, 4, 9, 1, 2, 3, 4), True),  # all of it twice
        ((9, 1, 2, 3, 4, 5, 9, 1, 2, 3), True),  # ... and cut off
        ((1, 2, 3, 1, 2, 3), False),  # thank you very ... is short enough to be said twice
        ((1, 2, 3, 4, 5, 6, 7, 8), False),
        ((), False),
    ],
)
def test_a_phrase_said_twice_is_worth_a_second_look(
    tokens: tuple[int, ...], expected: bool
) -> None:
    """It is not dropped: people do that."""
    assert quality.stutters(tokens) is expected

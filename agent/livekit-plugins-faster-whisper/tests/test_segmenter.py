"""Where utterances begin, pause and end."""

from itertools import chain, repeat

import pytest
from livekit.plugins.faster_whisper.segmenter import (
    LONG_S,
    MAX_S,
    PREFIX_WINDOWS,
    WINDOW_S,
    WINDOW_SAMPLES,
    Change,
    Segmenter,
)

WINDOW = bytes(WINDOW_SAMPLES * 2)
STARTED, PAUSED, RESUMED, ENDED = Change.STARTED, Change.PAUSED, Change.RESUMED, Change.ENDED


def heard(segmenter: Segmenter, pattern: str) -> list[Change]:
    """Push windows: `#` is speech, `.` is silence, `+` neither."""
    levels = {"#": 0.9, ".": 0.1, "+": 0.4}
    return [change for each in pattern for change in segmenter.push(WINDOW, levels[each])]


@pytest.mark.parametrize(
    ("pattern", "changes"),
    [
        ("....", []),
        ("#...#...", []),  # a click is not speech
        ("##", [STARTED]),
        ("++++", []),  # doubtful windows start nothing ...
        ("##++++", [STARTED]),  # ... and end nothing
        ("##.", [STARTED, PAUSED]),
        ("##..", [STARTED, PAUSED]),
        ("##.#", [STARTED, PAUSED, RESUMED]),
        ("##..#", [STARTED, PAUSED, RESUMED]),
        ("##..#..", [STARTED, PAUSED, RESUMED, PAUSED]),
        ("##........", [STARTED, PAUSED, ENDED]),
        ("##........##", [STARTED, PAUSED, ENDED, STARTED]),
    ],
)
def test_changes(pattern: str, changes: list[Change]) -> None:
    """256 ms of silence end an utterance, 32 ms are a pause."""
    assert heard(Segmenter(end_silence_s=0.25), pattern) == changes


def test_an_utterance_begins_before_the_detector_is_sure() -> None:
    """Soft beginnings are in the audio; what was said earlier is not."""
    segmenter = Segmenter(end_silence_s=0.25)
    heard(segmenter, "." * 50 + "##")
    assert segmenter.current is not None
    assert len(segmenter.current.audio) == PREFIX_WINDOWS * WINDOW_SAMPLES * 2
    assert segmenter.current.start_s == pytest.approx((52 - PREFIX_WINDOWS) * WINDOW_S)


def test_speech_end_is_the_end_of_the_last_window_with_speech() -> None:
    """Silence at the end of the audio does not count."""
    segmenter = Segmenter(end_silence_s=0.25)
    heard(segmenter, "..####....")
    assert segmenter.current is not None
    assert segmenter.current.speech_end_s == pytest.approx(6 * WINDOW_S)


def test_a_cut_ends_the_utterance_once() -> None:
    """The second of two flushes finds nothing."""
    segmenter = Segmenter(end_silence_s=0.25)
    heard(segmenter, "####")
    assert segmenter.cut()
    assert not segmenter.cut()
    assert len(segmenter.ended) == 1


def test_the_next_utterance_shares_no_audio_with_the_last() -> None:
    """A word is written down once."""
    segmenter = Segmenter(end_silence_s=0.25)
    heard(segmenter, "####........##")
    (first,) = segmenter.ended
    assert segmenter.current is not None
    assert segmenter.current.start >= first.start + len(first.audio) // 2


def test_a_long_utterance_ends_at_its_first_pause() -> None:
    """64 ms are enough to cut where no word is."""
    segmenter = Segmenter(end_silence_s=0.25)
    assert heard(segmenter, "#" * int(LONG_S / WINDOW_S + 1) + "..") == [STARTED, PAUSED, ENDED]


def test_speech_without_a_pause_is_cut_where_it_is_least_like_speech() -> None:
    """Whisper hears 30 s at most; the rest goes on as an utterance that continues."""
    segmenter = Segmenter(end_silence_s=0.25)
    windows = int(MAX_S / WINDOW_S) + 1
    dip = windows - 60
    levels = chain(repeat(0.9, dip), [0.38], repeat(0.9, windows - dip))
    changes = [change for level in levels for change in segmenter.push(WINDOW, level)]
    (first,) = segmenter.ended
    assert changes == [STARTED, ENDED, STARTED]
    assert len(first.audio) == (dip + 1) * WINDOW_SAMPLES * 2
    assert segmenter.current is not None
    assert segmenter.current.continues
    assert segmenter.current.start == (dip + 1) * WINDOW_SAMPLES

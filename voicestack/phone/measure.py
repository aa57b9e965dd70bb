"""Measures on audio as it was heard: where speech starts and ends, latencies, percentiles. Pure.

The rule, for received audio and for clips alike: audio is cut into windows of 10 ms; a window is
loud when its level is above a threshold; sound starts at the first loud window of a group of six of
which at least four are loud, so that a click is no speech, and ends with the last loud window of
such a group.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

WINDOW_S = 0.01
# A word's first 60 ms hold at least 40 ms of sound; clicks and single bad frames hold less.
GROUP_WINDOWS = 6
GROUP_LOUD = 4
# Between the comfort noise of gateways (-50 dBFS and less) and the softest onset of telephone
# speech.
QUIETEST_DB = -50.0
# However noisy a line, speech is louder than this; without a cap a steady tone would raise its own
# threshold.
LOUDEST_THRESHOLD_DB = -38.0
ABOVE_NOISE_DB = 10.0
# How fast the noise floor follows when the line gets louder; it follows downwards at once.
FLOOR_RISE_DB_PER_S = 5.0
SILENCE_DB = -96.0
# In a clip, sound this far below its loudest window is room, breath or noise, not the end of a
# word.
CLIP_RANGE_DB = 30.0


def level_db(samples: Samples) -> float:
    """RMS level in dB below full scale."""
    mean_square = float(np.mean(np.square(samples.astype(np.float64)))) if len(samples) else 0.0
    return max(SILENCE_DB, 10 * math.log10(mean_square / 2**30)) if mean_square else SILENCE_DB


def levels_db(samples: Samples, rate_hz: int) -> list[float]:
    """The level of each whole window of 10 ms."""
    size = int(rate_hz * WINDOW_S)
    whole = len(samples) // size
    windows = samples[: whole * size].reshape(whole, size).astype(np.float64)
    mean_square = np.mean(np.square(windows), axis=1) / 2**30
    floor = 10 ** (SILENCE_DB / 10)
    return [float(level) for level in 10 * np.log10(np.maximum(mean_square, floor))]


def _starts_sound(loud: Sequence[bool], index: int) -> bool:
    return loud[index] and sum(loud[index : index + GROUP_WINDOWS]) >= GROUP_LOUD


def _ends_sound(loud: Sequence[bool], index: int) -> bool:
    start = max(0, index - GROUP_WINDOWS + 1)
    return loud[index] and sum(loud[start : index + 1]) >= GROUP_LOUD


@dataclass(slots=True)
class ActivityMeter:
    """Follows one received stream: which windows were loud, and when they were heard."""

    times: list[float] = field(default_factory=list)
    loud: list[bool] = field(default_factory=list)
    _floor_db: float = LOUDEST_THRESHOLD_DB

    def feed(self, samples: Samples, at: float, rate_hz: int) -> None:
        """Take a frame whose first sample is heard at `at`."""
        for index, level in enumerate(levels_db(samples, rate_hz)):
            risen = self._floor_db + FLOOR_RISE_DB_PER_S * WINDOW_S
            self._floor_db = min(level, risen)
            threshold = min(max(self._floor_db + ABOVE_NOISE_DB, QUIETEST_DB), LOUDEST_THRESHOLD_DB)
            self.times.append(at + index * WINDOW_S)
            self.loud.append(level > threshold)

    def _index_after(self, after: float) -> int:
        return bisect.bisect_left(self.times, after)

    def first_audio_after(self, after: float) -> float | None:
        """When the first sound that starts after `after` was heard; None: not (yet)."""
        for index in range(self._index_after(after), len(self.loud)):
            if _starts_sound(self.loud, index):
                return self.times[index]
        return None

    def last_audio_after(self, after: float) -> float | None:
        """The end of the last sound heard after `after`; None: there was none."""
        for index in range(len(self.loud) - 1, self._index_after(after) - 1, -1):
            if _ends_sound(self.loud, index):
                return self.times[index] + WINDOW_S
        return None

    def audio_stopped_after(self, after: float, *, quiet_s: float) -> float | None:
        """When sound stopped for `quiet_s` for the first time after `after`.

        `after` itself if it was already quiet then; None if the stream did not stay quiet so long.
        """
        stopped = after
        for index in range(self._index_after(after), len(self.loud)):
            if self.times[index] - stopped >= quiet_s:
                return stopped
            if _ends_sound(self.loud, index):
                stopped = self.times[index] + WINDOW_S
        return None

    def is_loud_at(self, at: float) -> bool:
        """Whether there was sound within the 60 ms before `at`."""
        index = self._index_after(at)
        return any(_ends_sound(self.loud, i) for i in range(max(0, index - GROUP_WINDOWS), index))


def first_audio_after(samples: Samples, rate_hz: int, after_s: float = 0.0) -> float | None:
    """Seconds to the first sound of a recording that starts after `after_s`."""
    meter = ActivityMeter()
    meter.feed(samples, 0.0, rate_hz)
    return meter.first_audio_after(after_s)


def speech_bounds_s(samples: Samples, rate_hz: int) -> tuple[float, float] | None:
    """Where speech starts and ends in a clip, by the rule above; None for a clip without speech.

    The threshold is 30 dB below the loudest window, at least 10 dB above the clip's noise (its
    tenth percentile) where that is quieter, and never below -50 dBFS. A soft last consonant may
    fall below: then the end is early and a latency measured from it is too long, never too short.
    """
    levels = levels_db(samples, rate_hz)
    if not levels or (peak := max(levels)) < QUIETEST_DB:
        return None
    noise = min(percentile(levels, 10) + ABOVE_NOISE_DB, peak - ABOVE_NOISE_DB)
    threshold = max(peak - CLIP_RANGE_DB, noise, QUIETEST_DB)
    loud = [level > threshold for level in levels]
    starts = [index for index in range(len(loud)) if _starts_sound(loud, index)]
    ends = [index for index in range(len(loud)) if _ends_sound(loud, index)]
    return (starts[0] * WINDOW_S, (ends[-1] + 1) * WINDOW_S) if starts and ends else None


def speech_end_s(samples: Samples, rate_hz: int) -> float:
    """Where speech ends in a clip; its whole length if there is none."""
    bounds = speech_bounds_s(samples, rate_hz)
    return bounds[1] if bounds else len(samples) / rate_hz


def percentile(values: Iterable[float], percent: float) -> float:
    """The percentile by linear interpolation; of nothing it is not a number."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    position = (len(ordered) - 1) * percent / 100
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)

"""The beep of a voicemail: one steady pure tone, longer than any vowel is pure.

Voices have harmonics, and their pitch moves; ring-back and keys are two tones at once. What is left
is a tone alone between 380 and 2600 Hz that keeps its frequency for 0.1 to 3 s.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
# 40 ms tell tones 25 Hz apart, every 20 ms.
WINDOW, HOP = 640, 320
HOP_S = HOP / RATE_HZ
LOW_HZ, HIGH_HZ = 380, 2600
# Of the energy between 150 and 3800 Hz; vowels are below, but for a window or two.
PURE = 0.88
STEADY_HZ = 20.0
# Beeps are loud; a tone below this is crosstalk.
LOUD = 300.0
SHORTEST_S, LONGEST_S = 0.16, 3.0
# What tells people that their call is recorded, every 12 to 15 s (47 CFR 64.501), as it is heard.
RECORDER_HZ, RECORDER_S = (1370.0, 1430.0), (0.14, 0.28)


@dataclass(frozen=True, slots=True)
class Beep:
    """One that has ended."""

    hz: float
    lasted_s: float

    @property
    def of_a_recorder(self) -> bool:
        """Whether a person's telephone may have made it."""
        low_hz, high_hz = RECORDER_HZ
        short_s, long_s = RECORDER_S
        return low_hz <= self.hz <= high_hz and short_s <= self.lasted_s <= long_s


class BeepDetector:
    """Fed with 16 kHz samples; tells when a beep has ended."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float64)
        self._shape = np.hanning(WINDOW)
        self._hz = np.fft.rfftfreq(WINDOW, 1 / RATE_HZ)
        self._band = (self._hz >= 150) & (self._hz <= 3800)
        self._tone_hz = 0.0
        self._lasted_s = 0.0

    def push(self, samples: NDArray[np.int16]) -> Beep | None:
        """Take what was heard next; the beep that has just ended."""
        self._rest = np.concatenate([self._rest, samples.astype(np.float64)])
        ended: Beep | None = None
        while len(self._rest) >= WINDOW:
            ended = self._window(self._rest[:WINDOW]) or ended
            self._rest = self._rest[HOP:]
        return ended

    def _window(self, piece: NDArray[np.float64]) -> Beep | None:
        tone_hz = self._tone_of(piece)
        if tone_hz and (not self._tone_hz or abs(tone_hz - self._tone_hz) < STEADY_HZ):
            self._tone_hz = tone_hz
            self._lasted_s += HOP_S
            return None
        beep = Beep(self._tone_hz, self._lasted_s)
        self._tone_hz, self._lasted_s = tone_hz, HOP_S if tone_hz else 0.0
        return beep if SHORTEST_S <= beep.lasted_s <= LONGEST_S else None

    def _tone_of(self, piece: NDArray[np.float64]) -> float:
        """Return the frequency of a pure tone; 0 if it is none."""
        if np.sqrt(np.mean(piece**2)) < LOUD:
            return 0.0
        power = np.abs(np.fft.rfft(piece * self._shape)) ** 2 * self._band
        peak = int(np.argmax(power))
        if not LOW_HZ <= self._hz[peak] <= HIGH_HZ:
            return 0.0
        near = slice(peak - 2, peak + 3)
        if power[near].sum() < PURE * power.sum():
            return 0.0
        return float((power[near] * self._hz[near]).sum() / power[near].sum())

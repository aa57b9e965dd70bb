"""The beep of a voicemail: one steady pure tone, longer than any vowel is pure.

Voices have harmonics, and their pitch moves; ring-back and keys are two tones at once. What is left
is a tone alone between 380 and 2600 Hz that keeps its frequency for 0.1 to 3 s.
"""

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


class BeepDetector:
    """Fed with 16 kHz samples; tells when a beep has ended."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float64)
        self._shape = np.hanning(WINDOW)
        self._hz = np.fft.rfftfreq(WINDOW, 1 / RATE_HZ)
        self._band = (self._hz >= 150) & (self._hz <= 3800)
        self._tone_hz = 0.0
        self._lasted_s = 0.0

    def push(self, samples: NDArray[np.int16]) -> bool:
        """Take what was heard next; True if a beep has just ended."""
        self._rest = np.concatenate([self._rest, samples.astype(np.float64)])
        ended = False
        while len(self._rest) >= WINDOW:
            ended |= self._window(self._rest[:WINDOW])
            self._rest = self._rest[HOP:]
        return ended

    def _window(self, piece: NDArray[np.float64]) -> bool:
        tone_hz = self._tone_of(piece)
        if tone_hz and (not self._tone_hz or abs(tone_hz - self._tone_hz) < STEADY_HZ):
            self._tone_hz = tone_hz
            self._lasted_s += HOP_S
            return False
        lasted_s, self._lasted_s = self._lasted_s, HOP_S if tone_hz else 0.0
        self._tone_hz = tone_hz
        return SHORTEST_S <= lasted_s <= LONGEST_S

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

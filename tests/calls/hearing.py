"""Tell by ear what came back: a tone, speech, or nothing."""

import numpy as np
import numpy.typing as npt

from voicestack.phone.wire.g711 import RATE_HZ

# A pure tone through G.711, Opus and resamplers keeps far more of its energy than this in its band;
# speech has far less at any one frequency.
TONE_SHARE = 0.5
BAND_HZ = 60


def is_tone(samples: npt.NDArray[np.int16], tone_hz: int) -> bool:
    """True if most of the energy lies at `tone_hz`."""
    spectrum = np.abs(np.fft.rfft(samples.astype(np.float64))) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    near = np.abs(frequencies - tone_hz) < BAND_HZ
    total = float(spectrum.sum())
    return total > 0 and float(spectrum[near].sum()) / total > TONE_SHARE

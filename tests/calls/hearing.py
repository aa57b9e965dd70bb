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
    if not len(samples):
        return False
    spectrum = np.abs(np.fft.rfft(samples.astype(np.float64))) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    near = np.abs(frequencies - tone_hz) < BAND_HZ
    total = float(spectrum.sum())
    return total > 0 and float(spectrum[near].sum()) / total > TONE_SHARE


def tone_db(samples: npt.NDArray[np.int16], tone_hz: int, band_hz: float = BAND_HZ) -> float:
    """How loud it is around `tone_hz`, in dB below a full-scale sine; -120 for silence."""
    if not len(samples):
        return -120.0
    window = np.hanning(len(samples))  # or a loud tone would be "heard" far beside its place
    spectrum = np.abs(np.fft.rfft(samples * window)) / (window.sum() / 2)
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    near = spectrum[np.abs(frequencies - tone_hz) < band_hz]
    return max(-120.0, float(20 * np.log10(np.sqrt((near**2).sum()) / 32767 + 1e-9)))


def tone(tone_hz: int, duration_s: float) -> npt.NDArray[np.int16]:
    """A tone that a phone can say, as loud as speech."""
    times = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    return np.round(8000 * np.sin(2 * np.pi * tone_hz * times)).astype(np.int16)

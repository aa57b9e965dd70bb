"""Tell by ear what came back: a tone, speech, or nothing."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from voicestack.phone.wire.g711 import RATE_HZ

# A pure tone through G.711, Opus and resamplers keeps far more of its energy than this in its band;
# speech has far less at any one frequency.
TONE_SHARE = 0.5
BAND_HZ = 60
# What is heard lasts; a packet that came too late on a busy machine is a click, and heard at every
# frequency, but in no more than two of these.
SLICE_SAMPLES = RATE_HZ // 10


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


def levels_db(
    samples: npt.NDArray[np.int16], tone_hz: int, band_hz: float = BAND_HZ
) -> list[float]:
    """As `tone_db`, one moment after the other."""
    starts = range(0, max(1, len(samples) - SLICE_SAMPLES + 1), SLICE_SAMPLES)
    return [tone_db(samples[start : start + SLICE_SAMPLES], tone_hz, band_hz) for start in starts]


def steady_db(samples: npt.NDArray[np.int16], tone_hz: int, band_hz: float = BAND_HZ) -> float:
    """How loud it is around `tone_hz` most of the time: as `tone_db`, but deaf to single clicks."""
    return float(np.median(levels_db(samples, tone_hz, band_hz)))


def heard_among(
    samples: npt.NDArray[np.int16], tones_hz: Iterable[int], limit_db: float
) -> dict[int, float]:
    """Which of these tones are there, and how loud: nothing, unless one is louder than this."""
    levels_db = {hz: round(steady_db(samples, hz), 1) for hz in tones_hz}
    return {hz: level_db for hz, level_db in levels_db.items() if level_db > limit_db}


def tone(tone_hz: int, duration_s: float) -> npt.NDArray[np.int16]:
    """A tone that a phone can say, as loud as speech."""
    times = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    return np.round(8000 * np.sin(2 * np.pi * tone_hz * times)).astype(np.int16)

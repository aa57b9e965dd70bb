"""Log-mel features of speech followed by silence.

The same numbers as faster-whisper's FeatureExtractor (a test compares them), with two differences
in cost: the silence that fills the context is not computed but known, and no BLAS is called. A
matrix product wakes OpenBLAS' helper threads, which then spin for 90 ms of processor time: a third
of a whole decoding.
"""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

N_FFT, HOP = 400, 160
# Energy below which nothing is told apart, and how far below the loudest the floor lies.
FLOOR = 1e-10
RANGE = 8.0


class LogMel:
    """Turns samples into what Whisper's encoder takes."""

    def __init__(self, mels: int) -> None:
        from faster_whisper.feature_extractor import FeatureExtractor

        filters = FeatureExtractor.get_mel_filters(16_000, N_FFT, n_mels=mels).astype(np.float32)
        self._bands = [_band(each) for each in filters]
        self._window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)

    def __call__(self, samples: Samples, frames: int) -> NDArray[np.float32]:
        """Features of `samples` with silence up to `frames` frames of 10 ms."""
        samples = samples[: frames * HOP]
        half = N_FFT // 2
        # Frames are centred: the beginning is mirrored, the end is silence.
        padded = np.zeros(frames * HOP + N_FFT, np.float32)
        padded[half : half + len(samples)] = samples
        mirrored = samples[1 : half + 1][::-1]
        padded[half - len(mirrored) : half] = mirrored
        heard = min(frames, (len(samples) + half) // HOP + 1)
        power = self._power(padded, heard)
        log = np.full((len(self._bands), frames), np.log10(FLOOR), np.float32)
        for number, (first, weights) in enumerate(self._bands):
            energy = (power[:, first : first + len(weights)] * weights).sum(axis=1)
            log[number, :heard] = np.log10(np.maximum(energy, FLOOR))
        log = np.maximum(log, log.max() - RANGE)
        scaled: NDArray[np.float32] = (log + 4.0) / 4.0
        return scaled

    def _power(self, padded: Samples, count: int) -> NDArray[np.float32]:
        views = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP][:count]
        spectrum = np.fft.rfft(views * self._window, axis=-1)
        power: NDArray[np.float32] = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        return power


def _band(weights: Samples) -> tuple[int, Samples]:
    """A mel filter is zero but for a few neighbouring frequencies."""
    used = np.flatnonzero(weights)
    if len(used) == 0:
        return 0, weights[:1]
    return int(used[0]), weights[used[0] : used[-1] + 1]

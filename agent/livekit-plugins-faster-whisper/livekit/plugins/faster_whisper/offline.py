"""Recordings: cut where nobody speaks, so that each piece fits into Whisper's 30 s."""

import numpy as np
from livekit.local_inference import VAD
from numpy.typing import NDArray

from .segmenter import MAX_S, WINDOW_SAMPLES, Segmenter

# In a recording there is time: sentences stay together better than in a live stream.
END_SILENCE_S = 0.6


def pieces(samples: NDArray[np.int16], rate_hz: int) -> list[NDArray[np.int16]]:
    """Stretches with speech, none longer than the model hears; empty where nobody speaks."""
    segmenter, detector = Segmenter(end_silence_s=END_SILENCE_S), VAD()
    for first in range(0, len(samples) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES):
        window = samples[first : first + WINDOW_SAMPLES]
        segmenter.push(window.tobytes(), float(detector.predict(window)))
    segmenter.cut()
    if segmenter.ended and len(samples) <= MAX_S * rate_hz:
        return [samples]
    return [np.frombuffer(bytes(each.audio), np.int16) for each in segmenter.ended]

"""Hold music: four soft chords, computed here. No recording, no rights: it is in the public domain.

As loud as a telephone's side tone, so that nobody takes the receiver from the ear, and quiet enough
that no speech detector takes it for a voice.
"""

import itertools
from collections.abc import AsyncIterator
from functools import lru_cache

import numpy as np
from livekit import rtc
from numpy.typing import NDArray

# What livekit-agents mixes at (voice/background_audio.py).
RATE_HZ = 48_000
FRAME_SAMPLES = RATE_HZ // 50
CHORD_S = 3.0
# C, A minor, F, G, with the seventh or sixth; all within the band of a telephone.
CHORDS_HZ = (
    (523.3, 659.3, 784.0, 493.9),
    (440.0, 523.3, 659.3, 392.0),
    (349.2, 440.0, 523.3, 659.3),
    (392.0, 493.9, 587.3, 659.3),
)
# -26 dB below full scale at the loudest sample, half of what speech on a telephone has.
PEAK = round(32767 * 10 ** (-26 / 20))


@lru_cache(maxsize=1)
def samples() -> NDArray[np.int16]:
    """Compute one round; it begins and ends in silence, so that it can be repeated."""
    times = np.arange(int(CHORD_S * RATE_HZ)) / RATE_HZ
    # A slow swell: attacks would be heard as knocks after G.711.
    swell = np.sin(np.pi * times / CHORD_S) ** 2
    chords = [swell * sum(np.sin(2 * np.pi * hz * times) for hz in chord) for chord in CHORDS_HZ]
    whole = np.concatenate(chords)
    scaled: NDArray[np.int16] = np.round(whole * PEAK / np.abs(whole).max()).astype(np.int16)
    return scaled


async def frames() -> AsyncIterator[rtc.AudioFrame]:
    """Yield it in frames of 20 ms, for ever."""
    pieces = samples().reshape(-1, FRAME_SAMPLES)
    for piece in itertools.cycle(pieces):
        yield rtc.AudioFrame(piece.tobytes(), RATE_HZ, 1, FRAME_SAMPLES)

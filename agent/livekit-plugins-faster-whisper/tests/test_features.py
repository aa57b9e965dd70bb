"""What the encoder takes."""

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from faster_whisper_engine.features import LogMel
from tests import speech


@pytest.mark.parametrize("mels", [80, 128])
@pytest.mark.parametrize("context_s", [3, 8, 30])
def test_the_same_numbers_as_faster_whisper(mels: int, context_s: int) -> None:
    """Speech, then silence up to the context; speech that is longer is cut."""
    samples = speech.utterances()[1].samples().astype(np.float32) / 32768
    padded = np.zeros(context_s * speech.RATE_HZ, np.float32)
    padded[: len(samples)] = samples[: len(padded)]
    expected = FeatureExtractor(feature_size=mels)(padded, padding=0)
    found = LogMel(mels)(samples, context_s * 100)
    # Where speech is cut off, the library mirrors the end and we have silence.
    edge = -2 if len(samples) > len(padded) else None
    assert found.shape == expected.shape
    np.testing.assert_allclose(found[:, :edge], expected[:, :edge], atol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 100])
def test_hardly_any_audio(count: int) -> None:
    """A flush may come right after the first sample."""
    assert np.isfinite(LogMel(80)(np.ones(count, np.float32), 800)).all()

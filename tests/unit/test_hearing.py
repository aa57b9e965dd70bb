"""What the ears of the tests make of a tone, of two at once, and of a click in one."""

import numpy as np
import numpy.typing as npt
import pytest
from tests.calls.hearing import heard_among, steady_db, tone, tone_db

from voicestack.phone.wire.g711 import FRAME_SAMPLES, PCMU, RATE_HZ

SAID_HZ, OTHER_HZ, QUIET_DB = 1700, (1000, 1300, 1500, 1900, 2100), -50.0


def on_the_phone(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    return PCMU.decode(PCMU.encode(samples))


def clicks(samples: npt.NDArray[np.int16], at_s: list[float]) -> npt.NDArray[np.int16]:
    """A packet that never came, and the next one from another place of the wave."""
    torn = samples.copy()
    for at in at_s:
        start = int(at * RATE_HZ)
        torn[start : start + FRAME_SAMPLES] = 0
        torn[start + FRAME_SAMPLES : -3] = torn[start + FRAME_SAMPLES + 3 :]
    return torn


@pytest.mark.parametrize("at_s", [[], [0.4], [0.1, 0.15, 0.48, 0.9, 1.11]])
def test_a_click_is_no_tone(at_s: list[float]) -> None:
    """It is heard at every frequency, for a moment; in one spectrum of all it looks like tones."""
    torn = on_the_phone(clicks(tone(SAID_HZ, 1.3), at_s))
    assert heard_among(torn, OTHER_HZ, QUIET_DB) == {}
    assert steady_db(torn, SAID_HZ) > -15
    assert any(tone_db(torn, hz) > QUIET_DB for hz in OTHER_HZ) == bool(at_s)


@pytest.mark.parametrize("hz", OTHER_HZ)
def test_a_tone_under_another_is_heard(hz: int) -> None:
    """Thirty times softer, with clicks in both."""
    both = tone(SAID_HZ, 1.3) + tone(hz, 1.3) // 30
    assert list(heard_among(on_the_phone(clicks(both, [0.3, 0.8])), OTHER_HZ, QUIET_DB)) == [hz]


def test_silence_is_silent() -> None:
    """Of no packet, too."""
    for samples in (np.zeros(RATE_HZ, dtype=np.int16), np.zeros(0, dtype=np.int16)):
        assert steady_db(samples, SAID_HZ) == -120.0

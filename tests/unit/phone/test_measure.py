"""What counts as speech, on signals whose truth is known."""

import math

import numpy as np
import pytest

from voicestack.phone import measure
from voicestack.phone.measure import ActivityMeter

RATE = 8000
rng = np.random.default_rng(7)


def tone(seconds: float, db: float = -12.0, hz: float = 300.0) -> np.ndarray:
    t = np.arange(int(RATE * seconds)) / RATE
    return (32768 * math.sqrt(2) * 10 ** (db / 20) * np.sin(2 * np.pi * hz * t)).astype(np.int16)


def noise(seconds: float, db: float) -> np.ndarray:
    scale = 32768 * 10 ** (db / 20)
    return (scale * rng.standard_normal(int(RATE * seconds))).clip(-32768, 32767).astype(np.int16)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(RATE * seconds), np.int16)


def fed(samples: np.ndarray, at: float = 100.0) -> ActivityMeter:
    """Frames of 20 ms, as they arrive."""
    meter = ActivityMeter()
    for start in range(0, len(samples), 160):
        meter.feed(samples[start : start + 160], at + start / RATE, RATE)
    return meter


@pytest.mark.parametrize("background", [-96.0, -70.0, -58.0, -50.0])
def test_speech_is_found_in_comfort_noise(background) -> None:
    """First and last sound to a window, however loud the comfort noise is."""
    quiet = noise(1.0, background) if background > -90 else silence(1.0)
    meter = fed(np.concatenate([quiet, tone(0.5), quiet]))
    assert meter.first_audio_after(100.0) == pytest.approx(101.0, abs=0.011)
    assert meter.last_audio_after(100.0) == pytest.approx(101.5, abs=0.011)


@pytest.mark.parametrize("db", [-70.0, -60.0, -50.0])
def test_comfort_noise_alone_is_no_speech(db) -> None:
    """Also when the stream starts with it."""
    assert fed(noise(10.0, db)).first_audio_after(100.0) is None


def test_noise_that_sets_in_is_no_speech_for_long() -> None:
    """A gateway that starts comfort noise below -50 dBFS raises no alarm."""
    assert fed(np.concatenate([silence(2), noise(5, -55)])).first_audio_after(100.0) is None


def test_a_click_is_no_speech() -> None:
    """One loud frame of 20 ms is not the start of a reply."""
    meter = fed(np.concatenate([silence(1), tone(0.02), silence(1), tone(0.3), silence(1)]))
    assert meter.first_audio_after(100.0) == pytest.approx(102.02, abs=0.011)


def test_soft_speech_counts() -> None:
    """A voice at -36 dBFS, 24 dB below a normal one."""
    meter = fed(np.concatenate([silence(1), tone(0.5, db=-36), silence(1)]))
    assert meter.first_audio_after(100.0) == pytest.approx(101.0, abs=0.011)


def test_a_long_tone_does_not_silence_itself() -> None:
    """The noise floor rises with a steady sound, but not above speech."""
    assert fed(tone(30.0)).last_audio_after(100.0) == pytest.approx(130.0, abs=0.011)


def test_first_audio_is_looked_for_after_the_time_given() -> None:
    """Sound before belongs to another turn."""
    meter = fed(np.concatenate([tone(0.5), silence(1), tone(0.5), silence(0.5)]))
    assert meter.first_audio_after(101.0) == pytest.approx(101.5, abs=0.011)
    assert meter.first_audio_after(102.2) is None


def test_when_an_interrupted_agent_stops() -> None:
    """Pauses between words do not count; the first quiet of the length asked for does."""
    words = np.concatenate([tone(0.4), silence(0.3), tone(0.4), silence(1.0)])
    meter = fed(words)
    assert meter.audio_stopped_after(100.2, quiet_s=0.6) == pytest.approx(101.1, abs=0.011)
    assert meter.audio_stopped_after(101.2, quiet_s=0.6) == 101.2  # was quiet already
    assert fed(tone(2.0)).audio_stopped_after(100.5, quiet_s=0.6) is None


def test_whether_there_is_sound_at_a_moment() -> None:
    """Tells an agent that talks over the caller from one that answers."""
    meter = fed(np.concatenate([silence(1), tone(1), silence(1)]))
    assert meter.is_loud_at(101.5)
    assert not meter.is_loud_at(100.5)
    assert not meter.is_loud_at(102.5)


@pytest.mark.parametrize("rate", [8000, 16000, 22050])
@pytest.mark.parametrize("room", [-96.0, -62.0, -48.0])
def test_bounds_of_speech_in_a_clip(rate, room) -> None:
    """The end of speech is that of the sound, not that of the file, at any rate and in any room."""
    t = np.arange(rate) / rate
    speech = 6000 * np.sin(2 * np.pi * 250 * t) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * t))
    clip = np.concatenate([np.zeros(rate // 2), speech, np.zeros(rate)])
    if room > -90:
        clip += 32768 * 10 ** (room / 20) * rng.standard_normal(len(clip))
    bounds = measure.speech_bounds_s(clip.astype(np.int16), rate)
    assert bounds == pytest.approx((0.5, 1.5), abs=0.03)


def test_a_silent_clip_has_no_bounds() -> None:
    """Its end is that of the file."""
    assert measure.speech_bounds_s(silence(1), RATE) is None
    assert measure.speech_end_s(silence(1), RATE) == 1.0
    assert measure.speech_bounds_s(silence(0), RATE) is None


def test_first_audio_of_a_recording() -> None:
    """The same rule on a whole recording."""
    recording = np.concatenate([silence(0.7), tone(0.3), silence(0.5)])
    assert measure.first_audio_after(recording, RATE) == pytest.approx(0.7, abs=0.011)
    assert measure.first_audio_after(recording, RATE, 1.1) is None


@pytest.mark.parametrize(("percent", "expected"), [(0, 1.0), (50, 2.5), (95, 3.85), (100, 4.0)])
def test_percentiles(percent, expected) -> None:
    """Linear between neighbours, whatever the order."""
    assert measure.percentile([4, 1, 3, 2], percent) == pytest.approx(expected)


def test_percentile_of_nothing() -> None:
    """Not a number, rather than a good figure."""
    assert math.isnan(measure.percentile([], 50))


def test_level() -> None:
    """0 dB is a full-scale square wave."""
    assert measure.level_db(np.full(80, -32768, np.int16)) == pytest.approx(0.0)
    assert measure.level_db(silence(0.01)) == -96.0
    assert measure.level_db(tone(0.1, db=-20)) == pytest.approx(-20, abs=0.1)

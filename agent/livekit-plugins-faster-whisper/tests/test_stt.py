"""The real model on recorded speech, and on noise."""

import asyncio
import time
from collections.abc import AsyncIterator

import numpy as np
import pytest
import soxr
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, stt
from livekit.plugins import faster_whisper
from livekit.plugins.faster_whisper.stream import SpeechStream
from tests.bench import stt_accuracy

from tests import speech

FINAL = stt.SpeechEventType.FINAL_TRANSCRIPT
PREFLIGHT = stt.SpeechEventType.PREFLIGHT_TRANSCRIPT
EXACT = [each for each in speech.utterances() if each.truth == "exact"]
# 30-s greedy decoding gets 3.6 % of them wrong as recorded, 2.7 % over the phone; two points more
# are the project's goal, one more is for other processors' arithmetic.
MAX_WER = 7.0
NOISE_S = 30.0


@pytest.fixture
async def whisper(model: str, no_shared_engine: None) -> AsyncIterator[faster_whisper.STT]:
    """The plugin, decoding in this process."""
    async with faster_whisper.STT(model=model) as recogniser:
        yield recogniser


def frame(samples: np.ndarray, rate_hz: int = speech.RATE_HZ, channels: int = 1) -> rtc.AudioFrame:
    """Samples as the framework passes them."""
    return rtc.AudioFrame(samples.tobytes(), rate_hz, channels, len(samples) // channels)


async def recognised(recogniser: faster_whisper.STT, samples: np.ndarray) -> str:
    """Write a recording down."""
    event = await recogniser.recognize(frame(samples))
    return event.alternatives[0].text


@pytest.mark.parametrize("phone", [False, True], ids=["as recorded", "over the phone"])
async def test_word_error_rate(whisper: faster_whisper.STT, phone: bool) -> None:
    """Short context is as right as 30 s, for a telephone's band as well."""
    pairs = []
    for each in EXACT:
        samples = speech.over_the_phone(each.samples()) if phone else each.samples()
        pairs.append((each.text, await recognised(whisper, samples)))
    assert stt_accuracy.wer(pairs) <= MAX_WER, pairs


async def test_nobody_speaks(whisper: faster_whisper.STT) -> None:
    """No word in silence, noise, hum, tones and breath; the bench listens for ten minutes."""
    for name, samples in stt_accuracy.noises(NOISE_S).items():
        assert await stt_accuracy.words_in(whisper, samples) == 0, name
        assert await recognised(whisper, samples) == "", name


async def test_a_stream_says_early_and_finally_the_same(whisper: faster_whisper.STT) -> None:
    """PREFLIGHT comes in the pause, FINAL when it lasts; times are those of the speech."""
    (said,) = [each for each in EXACT if "austen-0880" in each.name]
    stream = whisper.stream()
    spoken = said.samples()[: int((said.speech_end_s + 0.02) * speech.RATE_HZ)]
    stream.push_frame(frame(np.concatenate([np.zeros(8000, np.int16), spoken])))
    stream.push_frame(frame(np.zeros(2000, np.int16)))
    events = []
    async with asyncio.timeout(60):
        async for event in stream:
            if event.type is PREFLIGHT:
                stream.push_frame(frame(np.zeros(16_000, np.int16)))
            if event.alternatives:
                events.append(event)
            if event.type is FINAL:
                break
    await stream.aclose()
    assert [each.type for each in events if each.type in (PREFLIGHT, FINAL)] == [PREFLIGHT, FINAL]
    early, final = events[-2].alternatives[0], events[-1].alternatives[0]
    assert early.text == final.text
    assert stt_accuracy.wer([(said.text, final.text)]) <= 15  # "ill-disposed" is hard
    assert final.start_time == pytest.approx(0.5, abs=0.4)
    assert final.end_time == pytest.approx(0.5 + said.speech_end_s, abs=0.15)
    assert 0.5 < final.confidence <= 1.0


async def test_the_language_is_found(model: str, no_shared_engine: None) -> None:
    """Without a language it is detected from the first words."""
    async with faster_whisper.STT(model=model, language=None) as recogniser:
        event = await recogniser.recognize(frame(EXACT[0].samples()))
    assert event.alternatives[0].language == "en"
    assert event.alternatives[0].text


async def test_hotwords_are_heard(model: str, no_shared_engine: None) -> None:
    """A name that sounds like another is written as expected."""
    (said,) = [each for each in EXACT if "card-3" in each.name]
    async with faster_whisper.STT(model=model, hotwords=["seven of clubs"]) as recogniser:
        text = await recognised(recogniser, said.samples())
    assert stt_accuracy.bare(text) == "seven of clubs"


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (24_000, 1), (48_000, 2)])
async def test_any_rate_and_channels(
    whisper: faster_whisper.STT, rate_hz: int, channels: int
) -> None:
    """A recording is taken as it is."""
    (said,) = [each for each in EXACT if "goforward" in each.name]
    samples = np.repeat(soxr.resample(said.samples(), speech.RATE_HZ, rate_hz), channels)
    event = await whisper.recognize(frame(samples, rate_hz, channels))
    assert stt_accuracy.bare(event.alternatives[0].text) == "go forward ten meters"


async def test_a_long_recording_is_whole(whisper: faster_whisper.STT) -> None:
    """What Whisper cannot hear at once is cut where nobody speaks."""
    said = [each for each in EXACT if "austen" in each.name]
    pause = np.zeros(24_000, np.int16)
    samples = np.concatenate([part for each in said for part in (each.samples(), pause)])
    assert len(samples) > 30 * speech.RATE_HZ
    text = await recognised(whisper, samples)
    assert stt_accuracy.wer([(" ".join(each.text for each in said), text)]) <= 10


async def test_the_event_loop_only_waits(
    whisper: faster_whisper.STT, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hearing a frame takes no time that others would miss: at most 20 ms of processor."""
    slowest_s = 0.0
    hear = SpeechStream._hear

    def timed(self: SpeechStream, heard: rtc.AudioFrame) -> None:
        nonlocal slowest_s
        started_s = time.thread_time()
        hear(self, heard)
        slowest_s = max(slowest_s, time.thread_time() - started_s)

    monkeypatch.setattr(SpeechStream, "_hear", timed)
    stream = whisper.stream()
    for each in EXACT[:6]:
        samples = each.samples()
        for first in range(0, len(samples) - 480, 480):
            stream.push_frame(frame(samples[first : first + 480], 24_000))
        await asyncio.sleep(0)
    stream.end_input()
    async for _ in stream:
        pass
    assert slowest_s < 0.02


async def test_a_missing_model_is_an_error_that_helps(no_shared_engine: None) -> None:
    """The framework hears of it, with a hint, after its retries."""
    recogniser = faster_whisper.STT(model="/nowhere/at-all")
    once = APIConnectOptions(max_retry=0)
    with pytest.raises(APIConnectionError, match="hint:"):
        await recogniser.recognize(frame(EXACT[0].samples()), conn_options=once)

"""What a session hears from a stream, with an engine that answers as the test says."""

import asyncio

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import metrics, stt
from livekit.plugins import faster_whisper
from livekit.plugins.faster_whisper.stream import mono
from scripted import ScriptedEngine, Talk

from faster_whisper_engine.transcriber import Priority

INTERIM = stt.SpeechEventType.INTERIM_TRANSCRIPT
PREFLIGHT = stt.SpeechEventType.PREFLIGHT_TRANSCRIPT
FINAL = stt.SpeechEventType.FINAL_TRANSCRIPT
USAGE = stt.SpeechEventType.RECOGNITION_USAGE


async def test_final_is_the_very_string_of_the_preflight(
    engine: ScriptedEngine, talk: Talk
) -> None:
    """The reply that was prepared on the early text is kept."""
    engine.answers = ["Ten of clubs."]
    await talk.speak(20)
    await talk.silent(2)
    await talk.until(lambda: bool(talk.texts(PREFLIGHT)))
    assert not talk.texts(FINAL)
    await talk.silent(6)
    await talk.until(lambda: bool(talk.texts(FINAL)))
    assert talk.texts(PREFLIGHT) == talk.texts(FINAL) == ["Ten of clubs."]
    assert [each.priority for each in engine.requests] == [Priority.PREFLIGHT]
    await talk.close()


async def test_flush_ends_the_utterance_at_once(engine: ScriptedEngine, talk: Talk) -> None:
    """The session knows that the turn is over before the silence is long enough for us."""
    engine.answers = ["Ten of clubs."]
    await talk.speak(20)
    await talk.silent(3)
    talk.stream.flush()
    await talk.until(lambda: bool(talk.texts(FINAL)))
    await talk.silent(20)
    await talk.close()
    assert talk.texts(FINAL) == ["Ten of clubs."]


async def test_one_final_when_flush_follows_our_own_end(engine: ScriptedEngine, talk: Talk) -> None:
    """Flush and end of speech both come for most utterances."""
    await talk.speak(20)
    await talk.silent(10)
    talk.stream.flush()
    talk.stream.flush()
    await talk.close()
    assert len(talk.texts(FINAL)) == 1


async def test_flush_while_speaking_decodes_what_there_is(
    engine: ScriptedEngine, talk: Talk
) -> None:
    """A turn committed by hand gets the words so far; what follows is another utterance."""
    engine.answers = ["half a", "sentence"]
    await talk.speak(20)
    talk.stream.flush()
    await talk.until(lambda: bool(talk.texts(FINAL)))
    await talk.speak(20)
    await talk.close()
    assert talk.texts(FINAL) == ["half a", "sentence"]
    assert [each.priority for each in engine.requests] == [Priority.FINAL, Priority.FINAL]


async def test_a_guess_is_dropped_when_the_speaker_goes_on(
    engine: ScriptedEngine, talk: Talk
) -> None:
    """No PREFLIGHT for half a sentence, and its decoding is given up."""
    engine.gate = asyncio.Event()
    await talk.speak(20)
    await talk.silent(2)
    await talk.speak(1)
    await talk.until(lambda: engine.given_up == 1)
    engine.gate.set()
    await talk.speak(5)
    await talk.silent(8)
    await talk.close()
    assert talk.texts(PREFLIGHT) in ([], talk.texts(FINAL))
    assert len(talk.texts(FINAL)) == 1


async def test_at_most_three_preflights_an_utterance(engine: ScriptedEngine, talk: Talk) -> None:
    """The session would ignore more, and each costs a generation."""
    for number in range(5):
        await talk.speak(4)
        await talk.silent(2)
        await talk.until(lambda wanted=number + 1: len(engine.requests) >= wanted)
    await talk.silent(8)
    await talk.close()
    assert len(talk.texts(PREFLIGHT)) == 3


async def test_interim_text_is_what_two_guesses_agree_on(
    engine: ScriptedEngine, talk: Talk
) -> None:
    """Words that come and go are not shown."""
    engine.answers = ["had he marred", "had he married a more", "had he married a more", "all"]
    await talk.speak(110)
    await talk.close()
    assert talk.texts(INTERIM) == ["had he", "had he married a more"]
    assert [each.priority for each in engine.requests][:3] == [Priority.INTERIM] * 3


async def test_a_failed_interim_is_passed_over(engine: ScriptedEngine, talk: Talk) -> None:
    """A stream does not fail for a courtesy."""
    engine.answers = [faster_whisper.EngineError("behind"), "all of it"]
    await talk.speak(40)
    await talk.close()
    assert talk.texts(FINAL) == ["all of it"]


async def test_a_failed_guess_is_decoded_again(engine: ScriptedEngine, talk: Talk) -> None:
    """The early try costs nothing but its time."""
    engine.answers = [faster_whisper.EngineError("gone"), "all of it"]
    await talk.speak(20)
    await talk.silent(10)
    await talk.close()
    assert talk.texts(FINAL) == ["all of it"]


async def test_a_failed_final_is_retried_with_its_audio(engine: ScriptedEngine, talk: Talk) -> None:
    """The framework starts the stream again; nothing that was said is lost."""
    failure = faster_whisper.EngineError("gone")
    engine.answers = [failure, failure, failure, "first", "second"]
    errors: list[stt.STTError] = []
    talk.stream._stt.on("error", errors.append)
    await talk.speak(20)
    await talk.silent(10)
    await talk.until(lambda: bool(talk.texts(FINAL)))
    await talk.speak(20)
    await talk.silent(10)
    await talk.close()
    assert talk.texts(FINAL) == ["first", "second"]
    assert errors
    assert all(error.recoverable for error in errors)
    sizes = {len(each.samples) for each in engine.requests[1:4]}
    assert len(sizes) == 1


async def test_finals_come_in_the_order_of_speech(engine: ScriptedEngine, talk: Talk) -> None:
    """A slow first utterance holds the second back."""
    engine.gate = asyncio.Event()
    for _ in range(3):
        await talk.speak(20)
        await talk.silent(10)
    await talk.until(lambda: len(engine.requests) == 3)
    engine.gate.set()
    await talk.close()
    assert len(talk.texts(FINAL)) == 3
    starts = [event.alternatives[0].start_time for event in talk.events if event.type is FINAL]
    assert starts == sorted(starts)


async def test_times_are_those_of_the_speech(engine: ScriptedEngine, talk: Talk) -> None:
    """Start and end are on the stream's clock, the silence around is left out."""
    await talk.silent(100)
    await talk.speak(50)
    await talk.silent(10)
    await talk.close()
    (data,) = [event.alternatives[0] for event in talk.events if event.type is FINAL]
    assert data.start_time == pytest.approx(3.2, abs=0.33)
    assert data.end_time == pytest.approx(4.8, abs=0.04)


async def test_usage_is_reported_for_metrics(engine: ScriptedEngine, talk: Talk) -> None:
    """Streaming metrics come from nowhere else."""
    heard: list[metrics.STTMetrics] = []
    talk.stream._stt.on("metrics_collected", heard.append)
    await talk.speak(50)
    await talk.silent(10)
    await talk.close()
    assert [event.type for event in talk.events].count(USAGE) == 1
    (usage,) = heard
    assert usage.streamed
    assert usage.audio_duration == pytest.approx(58 * 0.032)  # ends after 8 silent windows


async def test_silence_asks_nothing(engine: ScriptedEngine, talk: Talk) -> None:
    """Without speech the engine rests."""
    await talk.silent(200)
    talk.stream.flush()
    await talk.close()
    assert not engine.requests
    assert not talk.texts(FINAL)


async def test_closing_twice_is_closing_once(engine: ScriptedEngine, talk: Talk) -> None:
    """Whoever comes second finds it done, even with a decoding under way."""
    engine.gate = asyncio.Event()
    await talk.speak(20)
    await talk.silent(10)
    await talk.until(lambda: bool(engine.requests))
    await talk.stream.aclose()
    await talk.stream.aclose()
    assert engine.given_up == 1


def test_stereo_is_averaged() -> None:
    """Both channels are heard."""
    samples = np.array([[100, 300], [-200, 0]], np.int16)
    frame = rtc.AudioFrame(samples.tobytes(), 16_000, 2, 2)
    assert np.frombuffer(mono(frame), np.int16).tolist() == [200, -100]

"""What is queued for the room is not heard after a pause."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from livekit import rtc
from livekit.agents import UserStateChangedEvent
from livekit.agents.voice.room_io._output import _ParticipantAudioOutput

from voice_agent import barge_in

RATE_HZ = 24_000


async def speaking() -> _ParticipantAudioOutput:
    """An output in the middle of a sentence of one second, with a full queue."""
    output = _ParticipantAudioOutput(
        rtc.Room(),
        sample_rate=RATE_HZ,
        num_channels=1,
        track_publish_options=rtc.TrackPublishOptions(),
    )
    output._subscribed_fut.set_result(None)
    output._forwarding_task = asyncio.create_task(output._forward_audio())
    sound = np.full(RATE_HZ, 1000, np.int16)
    await output.capture_frame(rtc.AudioFrame(sound.tobytes(), RATE_HZ, 1, RATE_HZ))
    async with asyncio.timeout(5):
        while output._audio_source.queued_duration < 0.1:
            await asyncio.sleep(0.01)
    return output


def session_with(audio: object) -> Any:
    """A session that speaks into this output, and the activity that it asks to interrupt."""
    events = rtc.EventEmitter[str]()
    activity = SimpleNamespace(interrupted=0)

    def interrupt() -> None:
        activity.interrupted += 1

    activity._interrupt_by_audio_activity = interrupt
    return SimpleNamespace(
        output=SimpleNamespace(audio=audio), on=events.on, emit=events.emit, _activity=activity
    )


async def test_the_agent_is_interrupted_when_speech_starts() -> None:
    """Not one window of the detector later; the end of speech interrupts nobody."""
    session = session_with(None)
    barge_in.stop_at_once(session)
    for old, new in (("listening", "speaking"), ("speaking", "listening"), ("away", "listening")):
        event = UserStateChangedEvent(old_state=cast("Any", old), new_state=cast("Any", new))
        session.emit("user_state_changed", event)
    assert session._activity.interrupted == 1


async def test_a_pause_empties_the_queue() -> None:
    """Also behind outputs that count and record; what was thrown away counts as not played."""
    output = await speaking()
    counting = SimpleNamespace(next_in_chain=output)
    session = session_with(counting)
    barge_in.stop_at_once(cast("Any", session))
    played: list[float] = []
    output.on("playback_progressed", lambda event: played.append(event.duration))
    output.pause()
    assert output._audio_source.queued_duration == 0
    assert 0.05 < output._source_discarded_duration <= 0.3
    pushed_s = output._source_pushed_duration
    assert abs(sum(played) + output._source_discarded_duration - pushed_s) < 0.06
    await output.aclose()


async def test_a_console_is_left_alone() -> None:
    """Nothing to empty where nothing is sent to a room."""
    session = session_with(None)
    barge_in.stop_at_once(cast("Any", session))

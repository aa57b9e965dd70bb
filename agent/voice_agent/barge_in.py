"""The agent falls silent at once when the caller speaks."""

import time

from livekit.agents import AgentSession, UserStateChangedEvent, io
from livekit.agents.voice.room_io._output import _ParticipantAudioOutput


def stop_at_once(session: AgentSession[None]) -> None:
    """Interrupt at the start of speech, and have that empty what is queued for the room.

    The session waits for one more window of the detector, 32 ms, than tells it of speech
    (livekit-agents 1.8.9, voice/agent_activity.py: on_vad_inference_done). RoomIO queues 200 ms,
    and `pause` leaves them playing until the next frame is due (voice/room_io/_output.py: pause,
    _forward_audio).
    """
    session.on("user_state_changed", lambda event: interrupt(session, event))
    output = innermost(session.output.audio)
    if not isinstance(output, _ParticipantAudioOutput):  # a console has no room
        return
    pause = output.pause

    def pause_and_empty() -> None:
        pause()
        discard_queued(output)

    setattr(output, "pause", pause_and_empty)  # noqa: B010 - mypy lets no method be assigned


def interrupt(session: AgentSession[None], event: UserStateChangedEvent) -> None:
    """Pause the agent, as the session would one window later."""
    if event.new_state == "speaking" and session._activity is not None:
        session._activity._interrupt_by_audio_activity()


def innermost(output: io.AudioOutput | None) -> io.AudioOutput | None:
    """Return the output that sends: what stands before it counts and records."""
    while output is not None and output.next_in_chain is not None:
        output = output.next_in_chain
    return output


def discard_queued(output: _ParticipantAudioOutput) -> None:
    """Empty the queue, and count it as never played, as `_forward_audio` does one frame later."""
    queued_s = output._audio_source.queued_duration
    if not queued_s:
        return
    pushed_s = output._source_pushed_duration
    output._source_discarded_duration += queued_s
    output._report_run(offset=pushed_s - queued_s, ended_at=time.time(), resumes_at=pushed_s)
    output._audio_source.clear_queue()

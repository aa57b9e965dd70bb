"""Whatever fails, the caller hears it: an apology from a file, and the call goes on.

Three things can happen to a turn: a stage reports an error; a stage says nothing at all; the reply
is empty. Each ends in the same apology, once per turn.
"""

import asyncio
import logging
import time

from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    ErrorEvent,
    UserStateChangedEvent,
    UserTranscriptionTimeoutEvent,
)

from voice_agent import sounds

log = logging.getLogger("voice_agent.rescue")

# Nobody on a phone waits longer than this for the first word without saying "hello?".
THINKING_LIMIT_S = 5.0
# Speech that nobody wrote down. Shorter sounds are coughs and doors, and need no answer.
TRANSCRIPTION_TIMEOUT_S = 3.0
SPEECH_WORTH_AN_ANSWER_S = 1.0
# One failure is reported by several stages within moments.
ONE_APOLOGY_PER_S = 4.0


def watch(session: AgentSession[None]) -> "Rescue":
    """Apologise for every turn of `session` that fails."""
    rescue = Rescue(session)
    session.on("error", rescue.on_error)
    session.on("agent_state_changed", rescue.on_agent_state)
    session.on("user_state_changed", rescue.on_user_state)
    session.on("user_transcription_timeout", rescue.on_transcription_timeout)
    session.on("close", lambda _: rescue.stop())
    return rescue


class Rescue:
    """The state of the turn in progress, as far as failures go."""

    def __init__(self, session: AgentSession[None]) -> None:
        self._session = session
        self._timer: asyncio.TimerHandle | None = None
        self._apologised_at_s = float("-inf")

    def on_error(self, event: ErrorEvent) -> None:
        """Hear of a stage that has given up; what is still retried needs no words."""
        if not getattr(event.error, "recoverable", False):
            stage = getattr(event.error, "type", "unknown").removesuffix("_error")
            self.apologise(stage, repr(getattr(event.error, "error", event.error)))

    def on_agent_state(self, event: AgentStateChangedEvent) -> None:
        """Time the silence between the caller's last word and the agent's first."""
        self.stop()
        if event.new_state == "thinking":
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(THINKING_LIMIT_S, self._too_long)
        elif event.new_state == "listening" and event.old_state == "thinking":
            self._thought_nothing()

    def on_user_state(self, event: UserStateChangedEvent) -> None:
        """Stop the clock while the caller speaks: his next turn starts a new one."""
        if event.new_state == "speaking":
            self.stop()

    def on_transcription_timeout(self, event: UserTranscriptionTimeoutEvent) -> None:
        """Answer speech that the STT never wrote down."""
        if event.speech_duration >= SPEECH_WORTH_AN_ANSWER_S:
            self.apologise("stt", f"no transcript of {event.speech_duration:.1f} s of speech")

    def stop(self) -> None:
        """Forget the clock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def apologise(self, stage: str, reason: str) -> None:
        """Say sorry, unless it was just said, or something is being said after all."""
        now_s = time.monotonic()
        if now_s - self._apologised_at_s < ONE_APOLOGY_PER_S:
            return
        if self._session.agent_state == "speaking" and stage != "tts":
            log.warning("stage failed behind the agent's words", extra={"stage": stage})
            return
        self._apologised_at_s = now_s
        log.error("turn failed, caller hears an apology", extra={"stage": stage, "reason": reason})
        self.stop()
        try:
            # What hangs would otherwise stand before the apology in the queue of speeches.
            self._session.interrupt(force=True)
            sounds.apologise(self._session)
        except RuntimeError:
            log.info("call ended before the apology")

    def _too_long(self) -> None:
        self.apologise("reply", f"nothing said for {THINKING_LIMIT_S:.0f} s")

    def _thought_nothing(self) -> None:
        if self._session.user_state != "speaking" and self._session.current_speech is None:
            self.apologise("llm", "the reply was empty")

"""Whatever fails, the caller hears it: an apology from a file, and the call goes on.

Three things can happen to a turn: a stage reports an error; a stage says nothing at all; the reply
is empty. Each ends in the same apology, once per turn. While the caller has not finished, nothing
is lost: the session prepares its answer anew when he has.
"""

import asyncio
import logging
import time

from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    ChatMessage,
    ConversationItemAddedEvent,
    ErrorEvent,
    FunctionToolsExecutedEvent,
    SpeechCreatedEvent,
    UserStateChangedEvent,
    UserTranscriptionTimeoutEvent,
)
from livekit.agents.voice import SpeechHandle

from voice_agent import sounds

log = logging.getLogger("voice_agent.rescue")

# Nobody on a phone waits longer than this for the first word without saying "hello?".
SILENCE_LIMIT_S = 4.0
# Speech that nobody wrote down. Shorter sounds are coughs and doors, and need no answer.
TRANSCRIPTION_TIMEOUT_S = 3.0
SPEECH_WORTH_AN_ANSWER_S = 1.0
# One failure is reported by several stages within moments.
ONE_APOLOGY_PER_S = 4.0


def watch(session: AgentSession[None]) -> "Rescue":
    """Apologise for every turn of `session` that fails."""
    rescue = Rescue(session)
    session.on("user_state_changed", rescue.on_user_state)
    session.on("conversation_item_added", rescue.on_item)
    session.on("speech_created", rescue.on_speech)
    session.on("agent_state_changed", rescue.on_agent_state)
    session.on("function_tools_executed", rescue.on_tools)
    session.on("error", rescue.on_error)
    session.on("user_transcription_timeout", rescue.on_transcription_timeout)
    session.on("close", lambda _: rescue.forget())
    return rescue


class Rescue:
    """The turn in progress, as far as failures go."""

    def __init__(self, session: AgentSession[None]) -> None:
        self._session = session
        self._caller_at_it = False  # he speaks, or has not been taken for finished yet
        self._owed: asyncio.TimerHandle | None = None  # an answer, by then
        self._next_agents = False  # what is owed
        self._apologised_at_s = float("-inf")

    def on_user_state(self, event: UserStateChangedEvent) -> None:
        """Owe nothing while the caller speaks: his next turn asks anew."""
        if event.new_state == "speaking":
            self._caller_at_it = True
            self.forget()

    def on_item(self, event: ConversationItemAddedEvent) -> None:
        """Owe an answer from the moment the caller's turn is taken for complete."""
        if isinstance(event.item, ChatMessage) and event.item.role == "user":
            self._caller_at_it = False
            self._owe()

    def on_tools(self, event: FunctionToolsExecutedEvent) -> None:
        """Owe words about what a tool has found; "one moment, please" was no answer.

        After a hand-over they are the next agent's: this reply ends without any, and is no failure.
        """
        if (event.has_tool_reply or event.has_agent_handoff) and not self._caller_at_it:
            self._owe()
            self._next_agents = event.has_agent_handoff

    def on_speech(self, event: SpeechCreatedEvent) -> None:
        """Look at what became of each reply."""
        event.speech_handle.add_done_callback(self._on_speech_done)

    def on_agent_state(self, event: AgentStateChangedEvent) -> None:
        """Count the first word as the answer."""
        if event.new_state == "speaking":
            self.forget()

    def on_error(self, event: ErrorEvent) -> None:
        """Hear of a stage that has given up; what is still retried needs no words."""
        if getattr(event.error, "recoverable", False):
            return
        stage = getattr(event.error, "type", "unknown").removesuffix("_error")
        if self._caller_at_it and stage != "stt":
            log.warning("early answer failed, it is made anew", extra={"stage": stage})
            return
        self.apologise(stage, repr(getattr(event.error, "error", event.error)))

    def on_transcription_timeout(self, event: UserTranscriptionTimeoutEvent) -> None:
        """Answer speech that the STT never wrote down."""
        if event.speech_duration >= SPEECH_WORTH_AN_ANSWER_S:
            self.apologise("stt", f"no transcript of {event.speech_duration:.1f} s of speech")

    def forget(self) -> None:
        """Owe nothing any more."""
        self._next_agents = False
        if self._owed is not None:
            self._owed.cancel()
            self._owed = None

    def apologise(self, stage: str, reason: str) -> None:
        """Say sorry, unless it was just said."""
        now_s = time.monotonic()
        if now_s - self._apologised_at_s < ONE_APOLOGY_PER_S:
            return
        self._apologised_at_s = now_s
        log.error("turn failed, caller hears an apology", extra={"stage": stage, "reason": reason})
        self.forget()
        try:
            # What hangs would otherwise stand before the apology in the queue of speeches.
            self._session.interrupt(force=True)
            sounds.apologise(self._session)
        except RuntimeError:
            log.info("call ended before the apology")

    def _owe(self) -> None:
        self.forget()
        loop = asyncio.get_running_loop()
        self._owed = loop.call_later(SILENCE_LIMIT_S, self._too_long)

    def _too_long(self) -> None:
        self.apologise("reply", f"nothing said for {SILENCE_LIMIT_S:.0f} s")

    def _on_speech_done(self, speech: SpeechHandle) -> None:
        if self._owed is not None and not speech.interrupted and not self._next_agents:
            self.apologise("llm", "the reply was empty")

"""Calls that must end: too long, with a warning before; or silent, with a question before."""

import asyncio
import logging

from livekit.agents import AgentSession, JobContext, UserStateChangedEvent

from voice_agent.agents.desk import hang_up
from voice_agent.settings import AgentSettings

log = logging.getLogger("voice_agent.limits")

WARNING_TEXT = "I am sorry, we have to end this call soon. Is there anything else?"
TIME_UP_TEXT = "I am sorry, our time is up. Goodbye."
STILL_THERE_TEXT = "Are you still there?"
SILENT_TEXT = "I cannot hear you, so I will hang up. Goodbye."
# A minute is enough to say a number; of a short call, the last fifth.
WARN_BEFORE_S, WARN_SHARE = 60.0, 0.2


def watch(ctx: JobContext, session: AgentSession[None], settings: AgentSettings) -> "Limits":
    """Hold a call to its limits until the job ends."""
    limits = Limits(session, settings)
    session.on("user_state_changed", limits.on_user_state)
    ctx.add_shutdown_callback(limits.stop)
    return limits


class Limits:
    """The clocks of one call."""

    def __init__(self, session: AgentSession[None], settings: AgentSettings) -> None:
        self._session, self._settings = session, settings
        longest_s = settings.max_call_minutes * 60
        self._length = asyncio.create_task(self._until(longest_s), name="longest call")
        self._silence: asyncio.Task[None] | None = None
        self._paused = False

    def on_user_state(self, event: UserStateChangedEvent) -> None:
        """`away` is the session's word for neither side having spoken for SILENCE_S.

        A key that is pressed ends it as a word does (livekit-agents, reset_away_timer).
        """
        if event.new_state == "away":
            if self._silence is None and not self._paused:
                self._silence = asyncio.create_task(self._ask(), name="silence")
        elif event.new_state == "speaking" or event.old_state == "away":
            self._forget_silence()

    def pause(self) -> None:
        """Silence means nothing now: the caller has us on hold."""
        self._paused = True
        self._forget_silence()

    def resume(self) -> None:
        """Silence counts again, from now on."""
        self._paused = False
        self._session.reset_away_timer()

    def _forget_silence(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    async def stop(self) -> None:
        """Leave the clocks behind with the call."""
        for task in (self._length, self._silence):
            if task is not None:
                task.cancel()

    async def _until(self, longest_s: float) -> None:
        warn_s = min(WARN_BEFORE_S, longest_s * WARN_SHARE)
        await asyncio.sleep(longest_s - warn_s)
        self._session.say(WARNING_TEXT)
        await asyncio.sleep(warn_s)
        await self._end(TIME_UP_TEXT, "longest call")

    async def _ask(self) -> None:
        await self._session.say(STILL_THERE_TEXT)
        await asyncio.sleep(self._settings.silence_s)
        await self._end(SILENT_TEXT, "silence")

    async def _end(self, words: str, limit: str) -> None:
        log.info("call ended by a limit", extra={"limit": limit})
        await self._session.say(words, allow_interruptions=False)
        await hang_up()

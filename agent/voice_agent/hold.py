"""The far end puts us on hold, and takes us off again: nobody is there to talk to meanwhile.

livekit-sip tells it in an attribute of its participant (voicestack/setup/patches.py, HOLD). What
comes from a held line is nothing, or the music of somebody's exchange.
"""

import asyncio
import logging

from livekit import rtc
from livekit.agents import AgentSession, JobContext

from voice_agent.agents.desk import hang_up
from voice_agent.limits import Limits

log = logging.getLogger("voice_agent.hold")

ATTRIBUTE = "sip.hold"
# Whoever is on hold longer has been forgotten; his line and his job are needed.
LONGEST_S = 600.0


def watch(ctx: JobContext, session: AgentSession[None], limits: Limits, who: str) -> "Hold":
    """Be silent and deaf while the participant of this identity has us on hold."""
    hold = Hold(session, limits)

    def on_change(changed: dict[str, str], participant: rtc.Participant) -> None:
        if participant.identity == who and ATTRIBUTE in changed:
            hold.set(held=changed[ATTRIBUTE] == "true")

    ctx.room.on("participant_attributes_changed", on_change)
    ctx.add_shutdown_callback(hold.stop)
    return hold


class Hold:
    """One call, held or not."""

    def __init__(self, session: AgentSession[None], limits: Limits) -> None:
        self._session, self._limits = session, limits
        self._longest: asyncio.Task[None] | None = None

    def set(self, *, held: bool) -> None:
        """Begin or end; told twice is told once."""
        if held == (self._longest is not None):
            return
        log.info("call on hold" if held else "call off hold")
        if held:
            self._longest = asyncio.create_task(self._forgotten(), name="longest hold")
            self._limits.pause()
            self._session.interrupt(force=True)
        elif self._longest is not None:
            self._longest.cancel()
            self._longest = None
            self._limits.resume()
        # What is said into a held line is said to nobody, and what is heard there is music.
        self._session.input.set_audio_enabled(not held)
        self._session.output.set_audio_enabled(not held)

    async def stop(self) -> None:
        """Leave no clock behind."""
        if self._longest is not None:
            self._longest.cancel()

    async def _forgotten(self) -> None:
        await asyncio.sleep(LONGEST_S)
        log.info("call ended by a limit", extra={"limit": "hold"})
        await hang_up()

"""A caller who has hung up is gone, also when his leaving was lost on the way.

livekit-sip tells it twice, in an attribute and by leaving the room (1.8.0, pkg/sip/inbound.go,
`close`). Where the second is lost (occupancy.py), livekit-server keeps him for 20 s, and his job
would listen to nobody all that time, at a seventh of a core.
"""

import asyncio
import logging

from livekit import rtc
from livekit.agents import AgentSession, JobContext

log = logging.getLogger("voice_agent.gone")

ATTRIBUTE, HUNG_UP = "sip.callStatus", "hangup"
# By then he has left, as a rule, and the session has ended with him.
LEFT_S = 1.0


def watch(ctx: JobContext, session: AgentSession[None], who: str) -> None:
    """End the session when the participant of this identity has hung up and is still shown."""
    ends: set[asyncio.Task[None]] = set()

    async def end() -> None:
        await asyncio.sleep(LEFT_S)
        if ctx.room.isconnected() and who in ctx.room.remote_participants:
            log.info("caller has hung up, and his leaving was lost")
            session.shutdown(drain=False)

    def on_change(changed: dict[str, str], participant: rtc.Participant) -> None:
        if participant.identity == who and changed.get(ATTRIBUTE) == HUNG_UP:
            ends.add(asyncio.create_task(end(), name="hung up"))

    async def stop() -> None:
        for task in ends:
            task.cancel()

    ctx.room.on("participant_attributes_changed", on_change)
    ctx.add_shutdown_callback(stop)

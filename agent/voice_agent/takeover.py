"""An agent that takes a call over from one that died: a short excuse, then on with the talk."""

import logging

from livekit.agents import AgentSession, get_job_context

from voice_agent import sounds, wall
from voice_agent.opening import Opening
from voice_agent.report import CallReport
from voice_agent.settings import AgentSettings

log = logging.getLogger("voice_agent.takeover")

EXCUSE_TEXT = "I am sorry, I lost you for a moment. I am back. Where were we?"


async def first_words(
    session: AgentSession[None],
    settings: AgentSettings,
    greeting: str,
    report: CallReport,
    opening: Opening,
) -> None:
    """Greet; or, in place of an agent that died, excuse the silence and know what was said."""
    report.answered()
    earlier = await report.earlier()
    if not earlier.replaces:
        await opening.say()
        sounds.greet(session, settings, greeting)
        return
    log.info("call taken over", extra={"sentences": len(earlier.said)})
    await wall.clear(get_job_context(), session.room_io.linked_participant)
    agent = session.current_agent
    context = agent.chat_ctx.copy()
    for role, text in earlier.said:
        context.add_message(role="user" if role == "user" else "assistant", content=text)
    await agent.update_chat_ctx(context)
    sounds.greet(session, settings, EXCUSE_TEXT)
    await opening.say_again()

"""An agent that takes a call over from one that died: a short excuse, then on with the talk."""

import logging

from livekit.agents import Agent, AgentSession

from voice_agent import sounds
from voice_agent.report import Earlier
from voice_agent.settings import AgentSettings

log = logging.getLogger("voice_agent.takeover")

EXCUSE_TEXT = "I am sorry, I lost you for a moment. I am back. Where were we?"


async def take_over(
    session: AgentSession[None], agent: Agent, settings: AgentSettings, earlier: Earlier
) -> None:
    """Excuse the silence and know what was said before it."""
    log.info("call taken over", extra={"sentences": len(earlier.said)})
    context = agent.chat_ctx.copy()
    for role, text in earlier.said:
        context.add_message(role="user" if role == "user" else "assistant", content=text)
    await agent.update_chat_ctx(context)
    sounds.greet(session, settings, EXCUSE_TEXT)

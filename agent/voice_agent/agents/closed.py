"""Outside the hours of a line: says so, and hangs up (docs/lines.md, `hours` and `closed`)."""

import asyncio
import json
from collections.abc import Mapping

from livekit.agents import Agent, ChatMessage, ConversationItemAddedEvent, get_job_context

from voice_agent.agents.desk import hang_up
from voice_agent.settings import AgentSettings

CLOSED_TEXT = "We are closed at the moment. Please call again later. Goodbye."


def greeting(_settings: AgentSettings) -> str:
    """Return what the line says; made before the call where it says the usual."""
    context = get_job_context(required=False)
    return said_by(context.job.metadata if context else "")


def make(settings: AgentSettings) -> Agent:
    """Make the agent of one call."""
    return Closed(settings)


class Closed(Agent):
    """One per call; it hears nothing and knows nothing."""

    def __init__(self, settings: AgentSettings) -> None:
        super().__init__(instructions="", llm=None)
        self._settings = settings
        self._end: asyncio.Task[None] | None = None

    async def on_enter(self) -> None:
        """Hang up when everything is said."""
        self.session.input.set_audio_enabled(False)
        self.session.on("conversation_item_added", self._on_item)

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        """Wait for these words: what a law wants said may come before."""
        said = event.item.text_content if isinstance(event.item, ChatMessage) else ""
        if said == greeting(self._settings) and self._end is None:
            self._end = asyncio.create_task(hang_up(), name="closed")


def said_by(metadata: str) -> str:
    """Return the text of a line's metadata."""
    try:
        values = json.loads(metadata or "{}")
    except ValueError:
        values = {}
    text = values.get("closed") if isinstance(values, Mapping) else None
    return text if isinstance(text, str) and text else CLOSED_TEXT

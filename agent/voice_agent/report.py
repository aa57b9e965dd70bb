"""What one call reports to control: joined, answered, each turn, each sentence, ended."""

import asyncio
import time
from typing import Any

from livekit.agents import (
    AgentSession,
    ChatMessage,
    ConversationItemAddedEvent,
    FunctionToolsExecutedEvent,
    JobContext,
)
from pydantic import BaseModel

from voice_agent import agents
from voice_agent.control import Control, Outbox
from voice_agent.settings import AgentSettings

# A job may take 10 s to end (livekit-agents, shutdown_process_timeout).
CLOSE_S = 3.0
# The caller waits for the first word: an answer that is not there by then is not waited for.
EARLIER_S = 0.5


# control takes messages of 64 KiB.
MOST_ARGUMENT_CHARS = 4000


class Earlier(BaseModel):
    """What was said in this call before our job came, by an agent that died or handed over."""

    replaces: bool = False
    said: list[tuple[str, str]] = []  # role, text


class CallReport:
    """One job's reports."""

    def __init__(
        self, ctx: JobContext, settings: AgentSettings, session: AgentSession[None]
    ) -> None:
        self.agent = agents.wanted(ctx.job.agent_name, ctx.job.metadata)
        self._fields = {
            "room": ctx.job.room.name,
            "job": ctx.job.id,
            "agent": self.agent,
            "version": settings.agent_version,
        }
        self._control = Control(settings)
        self._outbox = Outbox(self._control, "/agent/report")
        self._joined = asyncio.create_task(self._join(), name="report joined")
        ctx.add_shutdown_callback(self._close)
        session.on("conversation_item_added", self._on_item)
        session.on("function_tools_executed", self._on_tools)

    def answered(self) -> None:
        """Report that caller and agent can hear each other."""
        self._put("answered")

    def turn(self, latencies: dict[str, int]) -> None:
        """Report how long each stage of an answer took."""
        self._put("turn", latencies=latencies)

    def result(self, word: str) -> None:
        """Report who picked up a call that we placed: answered, voicemail or screened."""
        self._put("result", reason=word)

    async def settled(self) -> None:
        """Wait until control has it all, before the end of the call is noted there."""
        await self._outbox.settled(CLOSE_S)

    async def earlier(self) -> Earlier:
        """Return what control knows of this call, if it answers in time."""
        try:
            async with asyncio.timeout(EARLIER_S):
                return await asyncio.shield(self._joined)
        except TimeoutError:
            return Earlier()

    async def _join(self) -> Earlier:
        known = await self._control.post("/agent/report", self._message("joined"))
        return Earlier.model_validate(known or {})

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        if isinstance(event.item, ChatMessage) and event.item.text_content:
            self._put("said", role=event.item.role, text=event.item.text_content)

    def _on_tools(self, event: FunctionToolsExecutedEvent) -> None:
        """Tell of each tool; what it answered stays here, and control keeps arguments if it may."""
        for asked, answer in event.zipped():
            ms = round(1000 * max(0.0, answer.created_at - asked.created_at))
            given = asked.arguments[:MOST_ARGUMENT_CHARS]
            self._put("tool", tool=asked.name, arguments=given, ok=not answer.is_error, ms=ms)

    async def _close(self, reason: str) -> None:
        self._put("ended", reason=reason)
        await self._outbox.close(CLOSE_S)

    def _put(self, kind: str, **more: Any) -> None:
        self._outbox.put(self._message(kind, **more))

    def _message(self, kind: str, **more: Any) -> dict[str, Any]:
        return {**self._fields, "kind": kind, "at": time.time(), **more}

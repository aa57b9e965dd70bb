"""The worst language model there is: it does whatever the last text told it, and keeps trying."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from livekit.agents import NOT_GIVEN, APIConnectOptions, ChatContext, ChatMessage, llm
from livekit.agents.llm import ChatChunk, ChoiceDelta, FunctionCallOutput, FunctionToolCall
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS

CALM = "Of course."


@dataclass(frozen=True, slots=True)
class Step:
    """What the model does next: a call of a tool, or words."""

    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    text: str = ""


# From the text that came last (a caller's or a tool's) and the whole talk to what is done.
Obey = Callable[[str, ChatContext], list[Step]]


class Obedient(llm.LLM):
    """Asks `obey` what the last text wants, and does it."""

    def __init__(self, obey: Obey) -> None:
        super().__init__()
        self.obey = obey
        self.seen: list[ChatContext] = []
        self.offered: list[list[str]] = []

    def chat(
        self,
        *,
        chat_ctx: ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: Any = NOT_GIVEN,
        tool_choice: Any = NOT_GIVEN,
        extra_kwargs: Any = NOT_GIVEN,
        **_: Any,
    ) -> llm.LLMStream:
        self.seen.append(chat_ctx.copy())
        self.offered.append([each.id for each in tools or []])
        return Doing(self, chat_ctx, tools or [], conn_options)


class Doing(llm.LLMStream):
    """One request."""

    def __init__(
        self,
        model: Obedient,
        chat_ctx: ChatContext,
        tools: list[llm.Tool],
        conn_options: APIConnectOptions,
    ) -> None:
        super().__init__(model, chat_ctx=chat_ctx, tools=tools, conn_options=conn_options)
        self._model = model

    async def _run(self) -> None:
        steps = self._model.obey(last_text(self._chat_ctx), self._chat_ctx)
        for number, step in enumerate(steps or [Step(text=CALM)]):
            if step.tool:
                call = FunctionToolCall(
                    name=step.tool,
                    arguments=json.dumps(step.arguments),
                    call_id=f"call_{len(self._model.seen)}_{number}",
                )
                self._say(ChoiceDelta(role="assistant", tool_calls=[call]))
            # As models do: a few letters at a time.
            for start in range(0, len(step.text), 7):
                self._say(ChoiceDelta(role="assistant", content=step.text[start : start + 7]))
                await asyncio.sleep(0)

    def _say(self, delta: ChoiceDelta) -> None:
        self._event_ch.send_nowait(ChatChunk(id="obedient", delta=delta))


def last_text(chat: ChatContext) -> str:
    """What was said last, by a caller or by a tool."""
    for item in reversed(chat.items):
        if isinstance(item, FunctionCallOutput):
            return item.output
        if isinstance(item, ChatMessage) and item.role == "user":
            return item.text_content or ""
    return ""


def whole_text(chat: ChatContext) -> str:
    """Everything that the model can read."""
    parts = []
    for item in chat.items:
        if isinstance(item, ChatMessage):
            parts.append(item.text_content or "")
        if isinstance(item, FunctionCallOutput):
            parts.append(item.output)
    return "\n".join(parts)

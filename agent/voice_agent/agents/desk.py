"""What every agent on the phone can do: answer briefly, take a message, end the call."""

import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from livekit import api
from livekit.agents import (
    NOT_GIVEN,
    Agent,
    ChatContext,
    ModelSettings,
    NotGivenOr,
    RunContext,
    function_tool,
    get_job_context,
    tts,
)
from livekit.agents.llm import ChatChunk, ChoiceDelta, Tool, Toolset

from voice_agent import guard, knowledge, phone_tools, pipeline, remote, scope, spoken, transfer
from voice_agent.brief import first_sentences
from voice_agent.rules import rule
from voice_agent.settings import AgentSettings

log = logging.getLogger("voice_agent.agents")

# Longer than anything a caller would dictate; a model that loops stops here.
MAX_MESSAGE_CHARS = 2000


class Desk(Agent):
    """One per call; `instructions` may name {business} and {hours}."""

    def __init__(
        self, settings: AgentSettings, instructions: str, chat_ctx: ChatContext | None = None
    ) -> None:
        self._messages = settings.state_dir / "messages"
        self.settings = settings
        self.arrival = ""  # said first by an agent that a call is handed over to
        self._guarded: dict[int, Tool | Toolset] = {}
        super().__init__(
            instructions=instructions.format(**facts(settings)),
            chat_ctx=chat_ctx,
            tools=self._more_tools(),
            tts=self._own_voice(),
        )

    def _more_tools(self) -> list[Tool | Toolset]:
        """What settings and files add to the methods below."""
        module = type(self).__module__.rpartition(".")[2]
        more: list[Tool | Toolset] = [*remote.toolsets(self.settings.mcp_file, module)]
        if self.settings.knowledge_dir is not None:
            more.append(knowledge.tool(self.settings.knowledge_dir))
        targets = transfer.targets(self.settings.transfer_targets)
        return [*more, *phone_tools.tools(self.settings, targets)]

    def _own_voice(self) -> NotGivenOr[tts.TTS[Any]]:
        """Speak with the VOICE of the agent's module, where it has one."""
        voice = getattr(sys.modules[type(self).__module__], "VOICE", "")
        if not voice:
            return NOT_GIVEN
        return pipeline.build_tts(self.settings.model_copy(update={"tts_voice": voice}))

    @property
    def tools(self) -> list[Tool | Toolset]:
        """All tools, each behind the guard: the framework knows no other."""
        return guard.guarded_all(super().tools, self.settings, self._guarded)

    @property
    def scope(self) -> scope.Scope:
        """Whose call this is; tools ask here, never the model."""
        return scope.of(self.session)

    async def on_enter(self) -> None:
        """Say who speaks now, after a hand-over; the first agent is introduced by its greeting."""
        if self.arrival:
            self.session.say(self.arrival)

    async def hand_over(self, to: "Desk", arrival: str) -> "Desk":
        """Give the call to another agent, that knows what was said so far."""
        heard = self.chat_ctx.copy(exclude_instructions=True, exclude_function_call=True)
        await to.update_chat_ctx(to.chat_ctx.copy().merge(heard))
        to.arrival = arrival
        log.info("call handed over", extra={"agent": type(to).__name__})
        return to

    def llm_node(
        self, chat_ctx: ChatContext, tools: list[Tool], model_settings: ModelSettings
    ) -> AsyncIterator[Any]:
        """Answer briefly, and in words; a yes to the guard's question needs no model."""
        watch = guard.of(self.session, self.settings)
        if call := watch.confirmed_call(chat_ctx):
            return _one(ChatChunk(id=call.call_id, delta=ChoiceDelta(tool_calls=[call])))
        offered = [each for each in tools if watch.offers(each.id, self.session)]
        reply = Agent.default.llm_node(self, chat_ctx, offered, model_settings)
        orders = spoken.Instructions(str(self.instructions), facts(self.settings).values())
        last = model_settings.tool_choice == "none"
        return spoken.speakable(first_sentences(reply), orders, last=last)

    @function_tool
    @rule(confirm_after_outside="Shall I write this down: {message}?")
    async def take_message(self, message: str) -> str:
        """Write down a message for the team.

        Args:
            message: what the caller wants to say, with name and number if given.
        """
        text = message.strip()[:MAX_MESSAGE_CHARS]
        if not text:
            return "The message is empty, ask the caller what to write down."
        save_message(self._messages, room=get_job_context().room.name, text=text)
        return "The message is written down."

    @function_tool
    @rule(confirm_after_outside="Shall I end the call?")
    async def end_call(self, context: RunContext[None]) -> None:
        """Hang up, when the caller has said goodbye."""
        await context.session.say("Goodbye.", allow_interruptions=False)
        await hang_up()


async def _one(chunk: ChatChunk) -> AsyncIterator[ChatChunk]:
    yield chunk


def facts(settings: AgentSettings) -> dict[str, str]:
    """What instructions may name."""
    return {"business": settings.business_name, "hours": settings.opening_hours}


def save_message(folder: Path, *, room: str, text: str) -> Path:
    """Write one message into a file of its own that only the operator can read."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{room}.json"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a") as out:
        out.write(json.dumps({"at": time.time(), "room": room, "message": text}) + "\n")
    return file


async def hang_up() -> None:
    """End the call for everybody: livekit-sip sends BYE when its room is gone."""
    context = get_job_context()
    await context.api.room.delete_room(api.DeleteRoomRequest(room=context.room.name))

"""What every agent on the phone can do: answer briefly, take a message, end the call."""

import json
import logging
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from livekit import api
from livekit.agents import (
    Agent,
    ChatContext,
    ModelSettings,
    RunContext,
    function_tool,
    get_job_context,
)
from livekit.agents.llm import FunctionTool, Tool

from voice_agent import keys, transfer
from voice_agent.brief import first_sentences
from voice_agent.settings import AgentSettings

log = logging.getLogger("voice_agent.agents")

# A card number has 19 digits.
MOST_KEYS = 20
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
        self._targets = transfer.targets(settings.transfer_targets)
        super().__init__(
            instructions=instructions.format(**facts(settings)),
            chat_ctx=chat_ctx,
            tools=[self._transfer_tool()] if self._targets else None,
        )

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
        """Answer briefly."""
        reply = Agent.default.llm_node(self, chat_ctx, tools, model_settings)
        return first_sentences(reply)

    @function_tool
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
    async def read_keys(self, context: RunContext[None], most: int) -> str:
        """Have the caller type a number on the keypad, such as a customer number or a PIN.

        Args:
            most: how many digits the number has at most.
        """
        prompt = "Please type it on your keypad, and then the hash key."
        context.session.say(prompt, add_to_chat_ctx=False)
        digits = await keys.collect(get_job_context().room, most=min(max(most, 1), MOST_KEYS))
        return f"The caller typed {digits}." if digits else "The caller typed nothing."

    def _transfer_tool(self) -> FunctionTool[Any, Any]:
        """Where the caller may be sent; the model sees names, never numbers."""

        @function_tool(
            name="transfer_call",
            description="Connect the caller to somebody else. Possible: "
            + ", ".join(self._targets),
        )
        async def transfer_call(context: RunContext[None], to: str) -> str:
            words = "One moment, I connect you."
            await context.session.say(words, allow_interruptions=False, add_to_chat_ctx=False)
            if await transfer.cold(get_job_context(), to, self._targets):
                return "The caller is gone."
            return "It did not work. Offer to take a message."

        return transfer_call

    @function_tool
    async def end_call(self, context: RunContext[None]) -> None:
        """Hang up, when the caller has said goodbye."""
        await context.session.say("Goodbye.", allow_interruptions=False)
        await hang_up()


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

"""The receptionist: says when we are open, takes a message, ends the call."""

import json
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
from livekit.agents.llm import Tool

from voice_agent.brief import first_sentences
from voice_agent.settings import AgentSettings

# Longer than anything a caller would dictate; a model that loops stops here.
MAX_MESSAGE_CHARS = 2000

INSTRUCTIONS = """\
You are the receptionist of {business}, on the phone.
Answer in one short spoken sentence. No lists, no symbols.
We are open {hours}. We are closed at all other times.
If you do not know something, offer to take a message.
"""

# Small models follow examples better than rules; large ones do not mind them.
EXAMPLES = (
    ("When are you open?", "We are open {hours}."),
    ("Can somebody call me back?", "Of course, please tell me your name and your number."),
    (
        "I have a question about a bill.",
        "I can take a message for our team. What should I tell them?",
    ),
)


def greeting(settings: AgentSettings) -> str:
    """Return the first words of every call, always the same: they are made before it."""
    return f"Hello, this is {settings.business_name}. How can I help you?"


class Receptionist(Agent):
    """One per call."""

    def __init__(self, settings: AgentSettings) -> None:
        self._messages = settings.state_dir / "messages"
        self._hours = settings.opening_hours
        facts = {"business": settings.business_name, "hours": settings.opening_hours}
        context = ChatContext.empty()
        for question, answer in EXAMPLES:
            context.add_message(role="user", content=question.format(**facts))
            context.add_message(role="assistant", content=answer.format(**facts))
        super().__init__(instructions=INSTRUCTIONS.format(**facts), chat_ctx=context)

    def llm_node(
        self, chat_ctx: ChatContext, tools: list[Tool], model_settings: ModelSettings
    ) -> AsyncIterator[Any]:
        """Answer briefly."""
        reply = Agent.default.llm_node(self, chat_ctx, tools, model_settings)
        return first_sentences(reply)

    @function_tool
    async def opening_hours(self) -> str:
        """Tell when the business is open."""
        return f"We are open {self._hours}."

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
    async def end_call(self, context: RunContext[None]) -> None:
        """Hang up, when the caller has said goodbye."""
        await context.session.say("Goodbye.", allow_interruptions=False)
        await hang_up()


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

"""The menu: a key or a word leads to sales or support; a PIN first, where the line wants one.

A line asks for a PIN in its metadata: `pin_sha256` (docs/agents.md).
"""

import asyncio
import json
from collections.abc import Mapping

from livekit.agents import Agent, get_job_context

from voice_agent import keys
from voice_agent.agents.desk import Desk, hang_up
from voice_agent.agents.sales import Sales
from voice_agent.agents.support import Support
from voice_agent.settings import AgentSettings

INSTRUCTIONS = """\
You answer the phone of {business}.
Answer in one short spoken sentence. No lists, no symbols.
Callers press 1 for sales and 2 for support. Ask which of the two they want.
"""
# An agent for each key, and what it says on arrival.
CHOICES: Mapping[str, tuple[type[Desk], str]] = {
    "1": (Sales, "This is sales. What can I do for you?"),
    "2": (Support, "This is support. What does not work?"),
}
MENU_TEXT = "Press 1 for sales, or 2 for support."


def greeting(settings: AgentSettings) -> str:
    """Return the first words of every call."""
    return f"Hello, this is {settings.business_name}. {MENU_TEXT}"


def make(settings: AgentSettings) -> Agent:
    """Make the agent of one call."""
    return Menu(settings)


class Menu(Desk):
    """One per call."""

    def __init__(self, settings: AgentSettings) -> None:
        super().__init__(settings, INSTRUCTIONS)
        self._serving: asyncio.Task[None] | None = None

    async def on_enter(self) -> None:
        """Listen to the keypad from the first moment: people who know the menu do not wait."""
        await super().on_enter()
        self._serving = asyncio.create_task(self._serve(), name="menu")

    async def on_exit(self) -> None:
        """Leave the keypad to the next agent."""
        if self._serving is not None and self._serving is not asyncio.current_task():
            self._serving.cancel()

    async def _serve(self) -> None:
        context = get_job_context()
        line, pin = pin_of(context.job.metadata)
        if pin:
            if not await keys.knows_pin(context.room, self.session, line, pin):
                await hang_up()
                return
            self.session.say(MENU_TEXT, add_to_chat_ctx=False)
        key = await keys.choice(context.room, CHOICES)
        kind, arrival = CHOICES[key]
        agent = kind(self.settings)  # type: ignore[call-arg]  # each module's agent takes just this
        self.session.update_agent(await self.hand_over(agent, arrival))


def pin_of(metadata: str) -> tuple[str, str]:
    """Return a line's number and the digest of its PIN, empty where it wants none."""
    try:
        values = json.loads(metadata or "{}")
    except ValueError:
        return "", ""
    if not isinstance(values, Mapping):
        return "", ""
    return str(values.get("line", "")), str(values.get("pin_sha256", ""))

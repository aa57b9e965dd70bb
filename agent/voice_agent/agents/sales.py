"""Sales: finds out what a caller wants to buy, and takes an order down as a message."""

from livekit.agents import Agent, function_tool

from voice_agent.agents.desk import Desk
from voice_agent.settings import AgentSettings

INSTRUCTIONS = """\
You sell for {business}, on the phone.
Answer in one short spoken sentence. No lists, no symbols.
Find out what the caller needs, how many, and until when.
Never name a price: take the order as a message, and say that a colleague calls back.
Whoever has trouble with something bought already is handed over to support.
"""


def greeting(settings: AgentSettings) -> str:
    """Return the first words of every call."""
    return f"{settings.business_name}, sales. What can I do for you?"


def greeting_by_name(settings: AgentSettings, name: str) -> str:
    """Return the first words to a caller whom CALLER_DATA knows."""
    return f"Hello {name}, this is {settings.business_name}, sales. What can I do for you?"


def make(settings: AgentSettings) -> Agent:
    """Make the agent of one call."""
    return Sales(settings)


class Sales(Desk):
    """One per call."""

    def __init__(self, settings: AgentSettings) -> None:
        super().__init__(settings, INSTRUCTIONS)

    @function_tool
    async def to_support(self) -> Agent:
        """Hand the caller over to support, for trouble with something bought already."""
        from voice_agent.agents.support import Support

        return await self.hand_over(
            Support(self.settings), "This is support. I heard what you said."
        )

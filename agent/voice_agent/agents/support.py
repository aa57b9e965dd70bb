"""Support: takes trouble down exactly, so that a colleague can call back with an answer."""

from livekit.agents import Agent, function_tool

from voice_agent.agents.desk import Desk
from voice_agent.settings import AgentSettings

INSTRUCTIONS = """\
You are the support desk of {business}, on the phone.
Answer in one short spoken sentence. No lists, no symbols.
Find out what does not work, since when, and how the caller can be reached.
Then take it as a message. Never promise a repair or a date.
Whoever wants to buy something is handed over to sales.
"""


def greeting(settings: AgentSettings) -> str:
    """Return the first words of every call."""
    return f"{settings.business_name}, support. What does not work?"


def make(settings: AgentSettings) -> Agent:
    """Make the agent of one call."""
    return Support(settings)


class Support(Desk):
    """One per call."""

    def __init__(self, settings: AgentSettings) -> None:
        super().__init__(settings, INSTRUCTIONS)

    @function_tool
    async def to_sales(self) -> Agent:
        """Hand the caller over to sales, when something is to be bought."""
        from voice_agent.agents.sales import Sales

        return await self.hand_over(Sales(self.settings), "This is sales. I heard what you said.")

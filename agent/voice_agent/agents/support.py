"""Support: takes trouble down exactly, so that a colleague can call back with an answer."""

from livekit.agents import Agent, RunContext, function_tool, get_job_context

from voice_agent import keys
from voice_agent.agents.desk import Desk
from voice_agent.rules import rule
from voice_agent.settings import AgentSettings

# A card number has 19 digits.
MOST_KEYS = 20
# Long enough to find the card and read it off.
KEYS_SECONDS = 60

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


def greeting_by_name(settings: AgentSettings, name: str) -> str:
    """Return the first words to a caller whom CALLER_DATA knows."""
    return f"Hello {name}, this is {settings.business_name}, support. What does not work?"


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

    @function_tool
    @rule(seconds=KEYS_SECONDS, quiet=True)
    async def read_keys(self, context: RunContext[None], most: int) -> str:
        """Have the caller type a number on the keypad, such as a customer number or a PIN.

        Args:
            most: how many digits the number has at most.
        """
        prompt = "Please type it on your keypad, and then the hash key."
        context.session.say(prompt, add_to_chat_ctx=False)
        digits = await keys.collect(get_job_context().room, most=min(max(most, 1), MOST_KEYS))
        return f"The caller typed {digits}." if digits else "The caller typed nothing."

"""The receptionist: says when we are open, takes a message, ends the call."""

from livekit.agents import Agent, ChatContext, function_tool

from voice_agent.agents.desk import Desk, facts
from voice_agent.settings import AgentSettings

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


def greeting_by_name(settings: AgentSettings, name: str) -> str:
    """Return the first words to a caller whom CALLER_DATA knows."""
    return f"Hello {name}, this is {settings.business_name}. How can I help you?"


def make(settings: AgentSettings) -> Agent:
    """Make the agent of one call."""
    return Receptionist(settings)


class Receptionist(Desk):
    """One per call."""

    def __init__(self, settings: AgentSettings) -> None:
        context = ChatContext.empty()
        for question, answer in EXAMPLES:
            context.add_message(role="user", content=question.format(**facts(settings)))
            context.add_message(role="assistant", content=answer.format(**facts(settings)))
        super().__init__(settings, INSTRUCTIONS, context)

    @function_tool
    async def opening_hours(self) -> str:
        """Tell when the business is open."""
        return f"We are open {self.settings.opening_hours}."

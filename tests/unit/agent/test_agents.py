"""Several agents in one worker: found by name, with words of their own, handing over."""

import pytest

from voice_agent import agents
from voice_agent.agents.sales import Sales
from voice_agent.settings import AgentSettings


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ("", "receptionist"),
        ("{}", "receptionist"),
        ('{"agent": "sales", "line": "+1"}', "sales"),
        ('{"agent": 3}', "receptionist"),
        ('["sales"]', "receptionist"),
        ("<x/>", "receptionist"),
    ],
)
def test_the_job_says_which_agent(metadata: str, name: str) -> None:
    """Else it is the worker's own name."""
    assert agents.wanted("receptionist", metadata) == name


def test_each_has_its_own_words(agent_settings: AgentSettings) -> None:
    """Greeting and instructions name the business; all can end the call."""
    assert agents.names() == ["receptionist", "sales", "support"]
    greetings = set()
    for name in agents.names():
        agent = agents.of(name).make(agent_settings)
        greetings.add(agents.of(name).greeting(agent_settings))
        assert agent_settings.business_name in str(agent.instructions)
        assert {"end_call", "take_message"} <= {tool.info.name for tool in agent.tools}
    assert len(greetings) == len(agents.names())


@pytest.mark.parametrize(
    ("name", "module"),
    [("sales-dev", "sales"), ("front-desk", "receptionist"), ("desk", "receptionist")],
)
def test_other_names(name: str, module: str) -> None:
    """A developer's worker is the same agent; an unknown name gets the receptionist."""
    assert agents.of(name) is agents.of(module)


async def test_a_hand_over_keeps_what_was_said(agent_settings: AgentSettings) -> None:
    """The next agent knows the words, has its own instructions, and says who it is."""
    sales = Sales(agent_settings)
    context = sales.chat_ctx.copy()
    context.add_message(role="user", content="My boat leaks.")
    await sales.update_chat_ctx(context)
    support = await sales.to_support()
    assert "My boat leaks." in [item.text_content for item in support.chat_ctx.messages()]
    assert "support desk" in str(support.instructions)
    assert support.arrival

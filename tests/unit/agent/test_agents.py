"""Several agents in one worker: found by name, with words of their own, handing over."""

from typing import Any, ClassVar

import pytest
from livekit.agents.utils import is_given

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
    """Greeting and instructions name the business; all but `closed` can end the call."""
    assert agents.names() == ["closed", "menu", "receptionist", "sales", "support"]
    greetings = {agents.of("closed").greeting(agent_settings)}
    for name in agents.names()[1:]:
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


class Named:
    """An agent's module with a voice and limits of its own."""

    VOICE = "en_GB-alan-medium"
    LIMITS: ClassVar[dict[str, Any]] = {"silence_s": 5, "tool_seconds": 2}

    def greeting(self, settings: AgentSettings) -> str:
        return "Hello."


def test_an_agent_has_its_own_voice_and_limits(
    agent_settings: AgentSettings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its module names them; what is unfit is logged and left out."""
    own = agents.tailored(Named(), agent_settings)  # type: ignore[arg-type]
    assert (own.tts_voice, own.silence_s, own.tool_seconds) == ("en_GB-alan-medium", 5, 2)
    assert own.tools_per_minute == agent_settings.tools_per_minute
    assert agents.tailored(agents.of("sales"), agent_settings) == agent_settings
    monkeypatch.setattr(Named, "LIMITS", {"silence_s": -1})
    assert agents.tailored(Named(), agent_settings) == agent_settings  # type: ignore[arg-type]
    monkeypatch.setattr(Named, "LIMITS", {"llm_url": "http://elsewhere"})
    assert agents.tailored(Named(), agent_settings).llm_url == agent_settings.llm_url  # type: ignore[arg-type]
    assert "limits that there are not" in caplog.text


def test_a_voice_is_kept_over_a_hand_over(
    agent_settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent speaks with it, wherever the call came from; others with the worker's."""
    assert not is_given(Sales(agent_settings).tts)
    monkeypatch.setattr(agents.of("sales"), "VOICE", "en_GB-alan-medium", raising=False)
    assert is_given(Sales(agent_settings).tts)

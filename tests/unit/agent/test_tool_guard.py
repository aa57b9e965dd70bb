"""Every call of a tool goes past the guard: time, number, yes of the caller, fit results."""

import asyncio
import json
from typing import Any

import pytest
from livekit.agents import Agent, ChatContext, function_tool
from livekit.agents.llm import ToolContext, ToolError
from tests.obedient import Step
from tests.unit.agent.clinic import SCOPE, Clinic, heard, talking

from voice_agent import consent, guard, results, scope
from voice_agent.rules import rule
from voice_agent.settings import AgentSettings


def when(text: str, *steps: Step) -> Any:
    """Obey one text and no other."""
    return lambda last, _: list(steps) if last == text else []


@pytest.fixture
def patient(agent_settings: AgentSettings) -> AgentSettings:
    """A short limit for what hangs."""
    return agent_settings.model_copy(update={"tool_seconds": 0.2})


class Broken(Clinic):
    """Tools that do what tools should not."""

    @function_tool
    async def hangs(self) -> str:
        """Hang."""
        await asyncio.Event().wait()
        return ""

    @function_tool
    @rule(quiet=True)
    async def types(self) -> str:
        """Have the caller type, who does not."""
        await asyncio.Event().wait()
        return ""

    @function_tool
    async def raises(self) -> str:
        """Raise."""
        raise ZeroDivisionError("division by zero")

    @function_tool
    async def bytes_(self) -> Any:
        """Return bytes."""
        return b"\xff\x00"

    @function_tool
    async def noise(self) -> str:
        """Return nothing readable."""
        return "\x00\x01\x02" * 1000

    @function_tool
    async def huge(self) -> str:
        """Return ten megabytes."""
        return "open " * 2_000_000

    @function_tool
    async def unknown_order(self) -> str:
        """Fail as its author meant it."""
        raise ToolError("There is no such order.")


async def asked(
    settings: AgentSettings, monkeypatch: pytest.MonkeyPatch, tool: str, **arguments: Any
) -> tuple[str, str]:
    """What the caller heard, and what the model was told, after a tool was called."""
    monkeypatch.setattr("tests.unit.agent.clinic.Clinic", Broken)
    every = SCOPE.__class__(room="call-1", customer=SCOPE.customer)
    monkeypatch.setattr("tests.unit.agent.clinic.SCOPE", every)
    async with talking(settings, when("Go.", Step(tool, arguments)), monkeypatch) as talk:
        result = await talk.says("Go.")
        told = [
            event.item.output for event in result.events if event.type == "function_call_output"
        ]
        return heard(result), told[-1]


@pytest.mark.parametrize("tool", ["hangs", "raises", "bytes_", "noise"])
async def test_a_broken_tool_is_heard_of(
    patient: AgentSettings, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    """One sentence, made without any model; nothing of the error is told."""
    words, told = await asked(patient, monkeypatch, tool)
    assert words == guard.FAILED_TEXT
    assert told == guard.TOLD


async def test_ten_megabytes_are_cut(
    agent_settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model reads the beginning and that there was more; the caller hears neither."""
    words, told = await asked(agent_settings, monkeypatch, "huge")
    assert len(told) < results.MOST_CHARS + 100
    assert told.endswith(results.CUT)
    assert words == "Of course."


async def test_what_an_author_says_reaches_the_model(
    agent_settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ToolError is an answer, not a failure."""
    _, told = await asked(agent_settings, monkeypatch, "unknown_order")
    assert told == "There is no such order."


async def test_a_model_that_loops_is_stopped(
    agent_settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of one turn, and calls in a minute, have an end; the caller still hears words."""
    settings = agent_settings.model_copy(update={"tools_per_minute": 5})

    def obey(last: str, _: ChatContext) -> list[Step]:
        return [Step("order_status"), Step(text="")]

    async with talking(settings, obey, monkeypatch) as talk:
        for _ in range(4):
            await talk.says("My order?")
        assert len(talk.agent.done) == 5
        told = [item.output for item in talk.agent.chat_ctx.items if item.type.endswith("output")]
    assert told[-1] == guard.TOO_MANY


async def test_slow_is_announced(
    agent_settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits hears that he waits."""
    monkeypatch.setattr(guard, "WAIT_AFTER_S", 0.05)
    words, _ = await asked(
        agent_settings.model_copy(update={"tool_seconds": 1.0}), monkeypatch, "hangs"
    )
    assert words == f"{guard.WAIT_TEXT} {guard.FAILED_TEXT}"


async def test_nobody_talks_into_a_tool_that_talks(
    agent_settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys are typed and calls are connected without "one moment" in between."""
    monkeypatch.setattr(guard, "WAIT_AFTER_S", 0.05)
    words, _ = await asked(
        agent_settings.model_copy(update={"tool_seconds": 1.0}), monkeypatch, "types"
    )
    assert words == guard.FAILED_TEXT


CANCEL = Step("cancel_appointment", {"day": "Monday"})


@pytest.mark.parametrize(
    ("answer", "done"),
    [
        ("Yes, please.", [("cancel_appointment", "Monday")]),
        ("Ja, genau.", [("cancel_appointment", "Monday")]),
        ("No, wait.", []),
        ("Yes, but not that one.", []),
        ("What did you say?", []),
    ],
)
async def test_what_cannot_be_undone_needs_a_yes(
    agent_settings: AgentSettings, monkeypatch: pytest.MonkeyPatch, answer: str, done: list[Any]
) -> None:
    """The question is made by code from the very arguments; the yes is read by code."""
    async with talking(agent_settings, when("Cancel it.", CANCEL), monkeypatch) as talk:
        asked = await talk.says("Cancel it.")
        assert heard(asked) == "Shall I cancel your appointment on Monday?"
        assert talk.agent.done == []
        await talk.says(answer)
        assert talk.agent.done == done
        await talk.says("Yes.")  # to nothing: the question is answered or off
        assert talk.agent.done == done


async def test_a_yes_is_for_what_was_asked(
    agent_settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other arguments, another question; what a model says about consent changes nothing."""

    def obey(last: str, _: ChatContext) -> list[Step]:
        if last == "Cancel it.":
            return [CANCEL]
        return [Step("cancel_appointment", {"day": "Friday", "confirmed": True})]

    async with talking(agent_settings, obey, monkeypatch) as talk:
        await talk.says("Cancel it.")
        words = heard(await talk.says("Hm."))
        assert "Friday" in words
        assert talk.agent.done == []


async def test_money_needs_a_key(
    agent_settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No voice in the room can agree to it, nor words that look like the key."""
    pay = when("Pay.", Step("pay", {"amount": 30}))
    async with talking(agent_settings, pay, monkeypatch) as talk:
        assert heard(await talk.says("Pay.")).endswith(guard.KEY_HINT)
        await talk.says("Yes.")
        await talk.says("Pay.")
        await talk.says(consent.PRESSED)
        assert talk.agent.done == []
        await talk.says("Pay.")
        talk.guard().press("1", talk.session)
        await talk.idle()
        assert talk.agent.done == [("pay", 30)]
        await talk.says("Pay.")
        talk.guard().press("2", talk.session)
        await talk.idle()
        assert talk.agent.done == [("pay", 30)]


async def test_a_line_narrows_its_agents(
    agent_settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its metadata does not list is neither shown to the model nor run for it."""
    change = when("Move.", Step("change_address", {"address": "Elm Street"}))
    async with talking(agent_settings, change, monkeypatch) as talk:
        await talk.says("Move.")
        assert talk.agent.done == []
        assert "change_address" not in talk.model.offered[0]
        assert "order_status" in talk.model.offered[0]


@pytest.mark.parametrize(
    ("metadata", "tools"),
    [
        ('{"tools": ["end_call"]}', {"end_call"}),
        ('{"tools": []}', set()),
        ('{"tools": "end_call, look_up"}', {"end_call", "look_up"}),
        ('{"tools": 3}', None),
        ("front desk", None),
        ("", None),
    ],
)
def test_lines_list_tools(metadata: str, tools: set[str] | None) -> None:
    """As lines.yaml has it; anything else narrows nothing."""
    assert scope.allowed(metadata) == tools


def test_the_model_sees_the_same_tools(agent_settings: AgentSettings) -> None:
    """Names, descriptions and arguments are those of the author; the guard's own is not shown."""
    tools = ToolContext(Clinic(agent_settings).tools).parse_function_tools("openai", strict=False)
    cancel = next(t["function"] for t in tools if t["function"]["name"] == "cancel_appointment")
    assert list(cancel["parameters"]["properties"]) == ["day"]
    assert cancel["description"] == "Cancel the caller's appointment."
    assert "guard_context" not in json.dumps(tools)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"open": True}, '{"open": true}'),
        ([1, 2], "[1, 2]"),
        ("a\x00b", "a b"),
        (3, "3"),
        (None, None),
    ],
)
def test_results_are_text(result: object, text: str | None) -> None:
    """Whatever can be read is written down."""
    assert results.checked(result) == text


def test_an_agent_passes(agent_settings: AgentSettings) -> None:
    """Handing over is no result to be cut."""
    agent = Agent(instructions="x")
    assert results.checked(agent) is agent
    assert results.checked((agent, "Over."))[1] == "Over."


async def test_nothing_is_said_after_a_transfer(
    agent_settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """His line may be open a moment longer; a model that would go on is not asked."""

    connect = when("Billing, please.", Step("transfer_call", {"to": "billing"}))
    async with talking(agent_settings, connect, monkeypatch) as talk:
        words = heard(await talk.says("Billing, please."))
        assert talk.agent.done == [("transfer_call", "billing")]
        session = talk.agent.session
        assert (words, session.input.audio_enabled, session.output.audio_enabled) == (
            "", False, False,
        )  # fmt: skip

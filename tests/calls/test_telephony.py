"""What happens on the telephone besides talking: keys, transfers, hand-overs, silence."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests import fakes
from tests.calls import world
from tests.fakes import FakeModels
from tests.speech import Utterance
from voicestack.native.up import Stack
from voicestack.office import Office
from voicestack.phone import Call, Phone

WITHIN_S = 20.0
SILENCE_S = 5


@pytest.fixture(scope="module")
def models() -> Iterator[FakeModels]:
    with fakes.serving() as models:
        yield models


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, models: FakeModels) -> Iterator[Stack]:
    """Real servers and ears; the language model calls the tools that a test wants."""
    more = {"TRANSFER_TARGETS": "billing=+15550123", "SILENCE_S": str(SILENCE_S)}
    folder = tmp_path_factory.mktemp("telephony")
    with world.running(folder, LLM_URL=models.url, TTS_URL=models.url, **more) as stack:
        yield stack


async def ask(
    call: Call, models: FakeModels, utterance: Utterance, tool: str, arguments: str
) -> None:
    """Say something that the language model answers by calling a tool."""
    await call.listen()
    models.asked.clear()
    models.tool = (tool, arguments)
    await call.say(utterance.path)
    await asked(models, "user")


async def asked(models: FakeModels, role: str) -> list[dict[str, Any]]:
    """The first request whose last message is of this role."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            for messages in models.asked:
                if messages[-1]["role"] == role:
                    return messages
            await asyncio.sleep(0.05)


@pytest.fixture(autouse=True)
async def a_free_line(stack: Stack, models: FakeModels) -> None:
    models.tool = None
    await world.no_rooms(Office.with_settings(stack.settings))


async def dial(phone: Phone, stack: Stack) -> Call:
    return await phone.dial(world.NUMBER, server=world.server(stack), ring_timeout_s=20)


async def test_keys_reach_the_tool_and_no_log(
    stack: Stack, models: FakeModels, utterances: list[Utterance]
) -> None:
    """A number typed on the keypad, ended by #; no service writes it down."""
    async with Phone() as phone:
        call = await dial(phone, stack)
        await ask(call, models, utterances[0], "read_keys", '{"most": 12}')
        await call.listen(timeout_s=10)
        await call.send_dtmf("735182946#")
        messages = await asked(models, "tool")
    assert messages[-1]["content"] == "The caller typed 735182946."
    for log in stack.paths.logs.glob("*.log"):
        assert "735182946" not in log.read_text(errors="replace"), log.name


async def test_a_listed_target_gets_the_caller(
    stack: Stack, models: FakeModels, utterances: list[Utterance]
) -> None:
    """The phone is told to call there (REFER), and our call ends."""
    async with Phone() as phone:
        call = await dial(phone, stack)
        await ask(call, models, utterances[0], "transfer_call", '{"to": "billing"}')
        async with asyncio.timeout(WITHIN_S):
            await call.ended.wait()
        assert "+15550123" in (call.referred_to or "")


async def test_no_other_target_does(
    stack: Stack, models: FakeModels, utterances: list[Utterance]
) -> None:
    """A number that somebody has talked the model into is not called; the call goes on."""
    async with Phone() as phone:
        call = await dial(phone, stack)
        await ask(call, models, utterances[0], "transfer_call", '{"to": "+19005550123"}')
        messages = await asked(models, "tool")
        assert "did not work" in messages[-1]["content"]
        assert call.referred_to is None
        assert not call.ended.is_set()


async def test_a_silent_caller_is_asked_and_then_left(stack: Stack, models: FakeModels) -> None:
    """Twice SILENCE_S without a word: a question, then goodbye and BYE."""
    async with Phone() as phone:
        call = await dial(phone, stack)
        await call.listen()
        question = await call.listen(timeout_s=3 * SILENCE_S)
        assert question.first_audio_at is not None
        async with asyncio.timeout(3 * SILENCE_S):
            await call.ended.wait()

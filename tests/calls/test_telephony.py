"""What happens on the telephone besides talking: keys, transfers, hand-overs, silence."""

import asyncio
from collections.abc import Iterator

import pytest

from tests import fakes
from tests.calls import world
from tests.calls.telephony.people import WITHIN_S, ask, asked
from tests.fakes import FakeModels
from tests.speech import Utterance
from voicestack.native.up import Stack
from voicestack.office import Office
from voicestack.phone import Call, Phone

SILENCE_S = 5
LINES = """\
version: 1
lines:
  - {number: "+15550100", agent: support, callers: {from: [this-machine]}}
"""


@pytest.fixture(scope="module")
def models() -> Iterator[FakeModels]:
    with fakes.serving() as models:
        yield models


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, models: FakeModels) -> Iterator[Stack]:
    """Real servers and ears; the language model calls the tools that a test wants."""
    more = {"TRANSFER_TARGETS": "billing=+15550123", "SILENCE_S": str(SILENCE_S)}
    folder = tmp_path_factory.mktemp("telephony")
    lines = folder / "support.yaml"
    lines.write_text(LINES)
    more["LINES_FILE"] = str(lines)
    with world.running(folder, LLM_URL=models.url, TTS_URL=models.url, **more) as stack:
        yield stack


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

"""Keys both ways: a PIN and a menu for callers, digits for the machines that we call."""

import asyncio

import pytest

from tests.calls import world
from tests.calls.telephony import people
from tests.fakes import FakeModels
from tests.speech import Utterance
from voicestack.lines.wanted import request_for
from voicestack.native.up import Stack
from voicestack.office import Office
from voicestack.outbound import dial as outbound
from voicestack.outbound.rules import Trunk
from voicestack.phone import Call, Phone

WRONG = "184620397#"


async def test_a_pin_and_a_key_lead_to_sales(
    stack: Stack, models: FakeModels, utterances: list[Utterance]
) -> None:
    """A wrong PIN is asked for again; 9 is no choice, 1 is sales; no log has the PIN."""
    async with Phone() as phone:
        call = await people.dial(phone, stack, people.MENU)
        await call.listen()
        await call.send_dtmf(WRONG)
        assert (await call.listen(timeout_s=10)).first_audio_at is not None
        await type_pin(call, stack)
        await call.send_dtmf("91")
        assert (await call.listen(timeout_s=10)).first_audio_at is not None
        models.asked.clear()
        await call.say(utterances[0].path)
        messages = await people.asked(models, "user")
    assert messages[0]["content"].startswith("You sell for")
    assert not any(people.PIN in str(each) for each in messages)
    for log in stack.paths.logs.glob("*.log"):
        assert people.PIN not in log.read_text(errors="replace"), log.name


async def type_pin(call: Call, stack: Stack) -> None:
    """As people do: once more, if a key was lost. On a busy machine 8 of 9 were seen to arrive."""
    for _ in range(2):
        wrong = world.log_text(stack, "agent").count('"wrong PIN"')
        await call.send_dtmf(f"{people.PIN}#")
        assert (await call.listen(timeout_s=10)).first_audio_at is not None
        if world.log_text(stack, "agent").count('"wrong PIN"') == wrong:
            return


async def test_keys_reach_the_tool_and_no_log(
    stack: Stack, models: FakeModels, utterances: list[Utterance]
) -> None:
    """A number typed on the keypad, ended by #; no service writes it down."""
    async with Phone() as phone:
        call = await people.dial(phone, stack)
        await people.ask(call, models, utterances[0], "read_keys", '{"most": 12}')
        assert await call.first_audio(timeout_s=people.WITHIN_S) is not None
        await call.send_dtmf(f"{people.PIN}#")
        messages = await people.asked(models, "tool")
    assert messages[-1]["content"] == f"The caller typed {people.PIN}."
    for log in stack.paths.logs.glob("*.log"):
        assert people.PIN not in log.read_text(errors="replace"), log.name


async def test_three_wrong_pins_end_the_call(stack: Stack) -> None:
    """With words, and never with a fourth try."""
    async with Phone() as phone:
        call = await people.dial(phone, stack, people.MENU)
        await call.listen()
        for _ in range(3):
            assert not call.ended.is_set()
            await call.send_dtmf(WRONG)
            await call.listen(timeout_s=10)
        async with asyncio.timeout(people.WITHIN_S):
            await call.ended.wait()


@pytest.mark.parametrize(("digits", "pressed"), [("1w24#", "124#"), ("+1900;drop", "")])
async def test_the_agent_finds_its_way_through_a_menu(
    stack: Stack,
    models: FakeModels,
    utterances: list[Utterance],
    office: Phone,
    digits: str,
    pressed: str,
) -> None:
    """A machine answers our call and wants keys; what is no key is not pressed."""
    trunk = Trunk("carrier", f"127.0.0.1:{office.address[1]}", "udp", world.NUMBER)
    asked = request_for("sales", stack.settings.agent_name, "")
    order = outbound.Order("+15105550150", trunk, asked, ring_s=20, max_call_s=120)
    calling = asyncio.create_task(
        outbound.dial(Office.with_settings(stack.settings), order, lambda _: None)
    )
    async with asyncio.timeout(people.WITHIN_S):
        incoming = await office.incoming_call()
    call = incoming.accept()
    assert (await calling).result == "answered"
    await people.ask(call, models, utterances[0], "press_keys", f'{{"digits": "{digits}"}}')
    result = (await people.asked(models, "tool"))[-1]["content"]
    assert ("are pressed" in result) == bool(pressed)
    await call.listen(timeout_s=10)
    async with asyncio.timeout(people.WITHIN_S):
        while len(call.dtmf_received) < len(pressed):
            await call.media.next_frame()
    assert call.dtmf_received == pressed

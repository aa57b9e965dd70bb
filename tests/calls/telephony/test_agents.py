"""Several agents and several workers: own numbers, hand-over, known callers, who takes the call."""

import asyncio
import subprocess
from pathlib import Path

from tests.calls import world
from tests.calls.hearing import is_tone
from tests.calls.telephony import people
from tests.calls.telephony.workers import worker
from tests.fakes import FakeModels
from tests.speech import Utterance
from voicestack.native.up import Stack
from voicestack.office import Office
from voicestack.phone import Phone

SALES, SUPPORT = "You sell for Harbor Dental", "You are the support desk of Harbor Dental"


async def test_two_agents_on_two_numbers_at_once(
    stack: Stack, models: FakeModels, utterances: list[Utterance]
) -> None:
    """Both calls are up before either speaks; each caller talks to the agent of his number."""
    models.asked.clear()
    both = asyncio.Barrier(2)

    async def one(number: str, instructions: str) -> None:
        async with Phone() as phone:
            call = await people.dial(phone, stack, number)
            assert (await call.listen()).first_audio_at is not None
            await both.wait()
            said = await call.say(utterances[0].path)
            await people.asked_with(models, instructions, role="user")
            since = said.speech_ended_at
            assert await call.first_audio(timeout_s=people.WITHIN_S, since=since) is not None
            await both.wait()

    await asyncio.gather(one(people.SALES, SALES), one(world.NUMBER, SUPPORT))


async def test_a_hand_over_keeps_the_talk(
    stack: Stack, models: FakeModels, utterances: list[Utterance]
) -> None:
    """Sales gives the caller to support, which says who it is and knows what was said."""
    models.tones = {"This is support. I heard what you said.": 1500}
    async with Phone() as phone:
        call = await people.dial(phone, stack, people.SALES)
        await people.ask(call, models, utterances[0], "to_support", "{}")
        first = await people.asked_with(models, SALES, role="user")
        await people.hears(call, 1500)
        models.tool = None
        await call.listen()
        await call.say(utterances[1].path)
        later = await people.asked_with(models, SUPPORT, "This is support", role="user")
    assert first[-1]["content"] in [each["content"] for each in later]
    assert not any(SALES in str(each["content"]) for each in later)


async def test_a_known_caller_and_a_text_with_orders_in_it(
    stack: Stack, models: FakeModels, utterances: list[Utterance]
) -> None:
    """The model knows Ada; the folder gives no orders, the line bars a tool, key 1 is a yes."""
    log = stack.paths.logs / "agent.log"
    greeting_text = "Hello Ada, this is Harbor Dental. How can I help you?"
    models.tones = {greeting_text: 1500, "Shall I end the call?": 1800}
    async with Phone(user=people.ADA) as phone:
        call = await people.dial(phone, stack, people.KNOWN)
        greeting = await call.listen()
        assert is_tone(greeting.samples, 1500), "she is not greeted by her name"
        await people.ask(call, models, utterances[0], "look_up", '{"question": "parking"}')
        messages = await people.asked_with(models, "hang up at once", role="tool")
        assert any("name: Ada" in str(each["content"]) for each in messages)
        refused = log.read_text().count("tool refused")
        await people.ask(call, models, utterances[1], "opening_hours", "{}")
        await people.log_says(log, "tool refused", refused + 1)
        await people.ask(call, models, utterances[2], "end_call", "{}")
        await people.hears(call, 1800)
        await call.listen()  # to its end: what comes before is no answer
        assert not call.ended.is_set()
        await call.send_dtmf("1")
        async with asyncio.timeout(people.WITHIN_S):
            await call.ended.wait()
    assert people.ADA not in log.read_text()


async def test_a_developers_worker_takes_no_call(stack: Stack, tmp_path: Path) -> None:
    """It registers under a name of its own, and every call goes to the real one."""
    with worker(stack, tmp_path / "dev", "dev", "--no-reload") as log:
        await people.log_says(log, "registered worker")
        for _ in range(2):
            async with Phone() as phone:
                call = await people.dial(phone, stack, people.SALES)
                assert await call.first_audio(timeout_s=people.WITHIN_S) is not None
            await world.no_rooms(Office.with_settings(stack.settings))
        assert "received job request" not in log.read_text()


async def test_a_competing_worker_is_named(
    stack: Stack, environ: dict[str, str], tmp_path: Path
) -> None:
    """The same name on another machine: both logs say so at once, and so does list_workers."""
    warned = world.log_text(stack, "control").count("ada-laptop")
    with worker(stack, tmp_path / "other", "start", host="ada-laptop") as log:
        await people.log_says(log, "workers compete for calls")
        await people.log_says(stack.paths.logs / "agent.log", "workers compete for calls")
        await people.log_says(stack.paths.logs / "control.log", "ada-laptop", warned + 1)
        listed = await asyncio.to_thread(
            subprocess.run,
            [stack.paths.python, stack.paths.root / "scripts/list_workers.py"],
            cwd=stack.settings.lines_file.parent,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "ada-laptop" in listed.stdout
        assert "attention: agent receptionist is answered by workers of 2" in listed.stderr

"""No caller rings for nothing, no caller talks to nobody: real phones, real servers."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psutil
import pytest
from livekit import api

from tests import fakes
from tests.calls import world
from tests.calls.hearing import is_tone
from tests.speech import Utterance
from voicestack.native.up import Stack
from voicestack.office import Office, OfficeError
from voicestack.phone import Call, CallRefused, Phone

# The promise is 3 s; a busy machine takes longer, but not the minutes of a phone that rings.
BUSY_S = 10.0
# A new job process joins in 0.5 s on two idle cores; a new worker registers in 8 s.
REPLACED_S = 20.0
RESTARTED_S = 60.0
GHOST_S = 40.0
OTHER = "+15105550199"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One line; mind and voice are fakes, so that replies are tones."""
    with fakes.serving() as models:
        more = {"MAX_CALLS": "1", "LLM_URL": models.url, "TTS_URL": models.url}
        with world.running(tmp_path_factory.mktemp("guard"), **more) as stack:
            yield stack


@pytest.fixture
def office(stack: Stack) -> Office:
    return Office.with_settings(stack.settings)


async def dial(phone: Phone, stack: Stack) -> Call:
    return await phone.dial(world.NUMBER, server=world.server(stack), ring_timeout_s=20)


async def last_call(office: Office, **fits: Any) -> dict[str, Any]:
    """The newest call of the history, once it is as expected."""
    call: dict[str, Any] = {}
    try:
        async with asyncio.timeout(30):
            while not call or any(call[key] != value for key, value in fits.items()):
                await asyncio.sleep(0.1)
                call = (await office.control("/calls?limit=1"))["calls"][0]
    except TimeoutError:
        pytest.fail(f"not {fits}: {call}")
    return call


async def test_a_caller_beyond_the_last_line_hears_busy(stack: Stack, office: Office) -> None:
    """486 soon, not minutes of ringing; the call that is up goes on; the history tells."""
    await world.no_rooms(office)
    async with Phone() as first, Phone(user=OTHER) as second:
        call = await dial(first, stack)
        assert (await call.listen()).first_audio_at is not None
        started = time.monotonic()
        with pytest.raises(CallRefused) as refused:
            await dial(second, stack)
        assert time.monotonic() - started < BUSY_S
        assert refused.value.status == 486
        assert not call.ended.is_set()
        busy = await last_call(office, result="busy")
        assert busy["answered_at"] is None
        await call.hang_up()
    await world.no_rooms(office)
    calls = (await office.control("/calls"))["calls"]
    assert [each["result"] for each in calls[:2]] == ["busy", "answered"]


async def test_a_refused_offer_is_made_again(stack: Stack, office: Office) -> None:
    """The line becomes free while the second phone rings: it is answered."""
    await world.no_rooms(office)
    async with Phone() as first, Phone(user=OTHER) as second:
        call = await dial(first, stack)
        await call.listen()
        ringing = asyncio.create_task(dial(second, stack))
        await asyncio.sleep(0.3)  # the first offer has been refused by then
        await call.hang_up()
        assert (await (await ringing).listen()).first_audio_at is not None


async def test_an_agent_that_dies_is_replaced(
    stack: Stack, office: Office, utterances: list[Utterance]
) -> None:
    """SIGKILL in mid-call: an excuse, then the talk goes on in the same call."""
    await world.no_rooms(office)
    async with Phone() as phone:
        call = await dial(phone, stack)
        await call.listen()
        psutil.Process(world.job_pid(stack)).kill()
        excuse = await call.listen(timeout_s=REPLACED_S)
        assert excuse.first_audio_at is not None, "silence after the agent died"
        await call.say(utterances[0].path)
        reply = await call.listen(timeout_s=20)
        assert is_tone(reply.samples, fakes.TONE_HZ)
    await world.no_rooms(office)
    assert (await last_call(office, agents=2, result="answered"))["ended_at"] is not None
    assert "call taken over" in world.log_text(stack, "agent")


async def test_a_worker_that_dies_is_waited_for(stack: Stack, office: Office) -> None:
    """New callers hear busy at once; the one on the line gets a new agent when there is one."""
    await world.no_rooms(office)
    async with Phone() as phone, Phone(user=OTHER) as other:
        call = await dial(phone, stack)
        await call.listen()
        psutil.Process(world.agent_pid(stack)).kill()
        started = time.monotonic()
        with pytest.raises(CallRefused) as refused:
            await dial(other, stack)
        assert (refused.value.status, time.monotonic() - started < BUSY_S) == (486, True)
        excuse = await call.listen(timeout_s=RESTARTED_S)
        assert excuse.first_audio_at is not None
        assert not call.ended.is_set()


async def test_an_agent_without_a_caller_is_sent_home(stack: Stack, office: Office) -> None:
    """A room that holds a line and nobody in it."""
    await world.no_rooms(office)
    async with office.livekit() as client:
        await client.agent_dispatch.create_dispatch(
            api.CreateAgentDispatchRequest(agent_name="receptionist", room="nobody")
        )
        async with asyncio.timeout(GHOST_S):
            while (await client.room.list_rooms(api.ListRoomsRequest())).rooms:
                await asyncio.sleep(0.1)
    assert "remove the room that nobody is in" in world.log_text(stack, "control")


async def test_history_and_workers_are_for_the_operator(office: Office) -> None:
    """Callers' words and numbers: not without the secret."""
    (worker,) = [w for w in (await office.control("/workers"))["workers"] if w["alive"]]
    assert (worker["agent"], worker["capacity"]) == ("receptionist", 1)
    stranger = replace(office, held=replace(office.held, control_secret="guessed"))
    with pytest.raises(OfficeError, match="not allowed"):
        await stranger.control("/calls")

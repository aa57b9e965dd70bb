"""The guard on real servers without any worker: nobody is there to answer."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import aiohttp
import pytest
import structlog
from livekit import api
from tests.servers import KEY, SECRET, Servers, gateway
from tests.unit.lines.test_lines_plan import LINE

from control import guard as guards
from control.guard import Guard
from control.workers import Workers
from voicestack.lines.apply import switchboard
from voicestack.lines.wanted import networks, wanted
from voicestack.phone import CallRefused, Phone

NUMBER = "+15550188"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with gateway(tmp_path_factory.mktemp("guard")) as stack:
        yield stack


@pytest.fixture
async def client(running: Servers) -> AsyncIterator[api.LiveKitAPI]:
    timeout = aiohttp.ClientTimeout(total=2)
    async with api.LiveKitAPI(running.url, KEY, SECRET, timeout=timeout, failover=False) as made:
        async with switchboard(running.url, KEY, SECRET) as board:
            await board.apply([wanted(replace(LINE, number=NUMBER), networks())])
        yield made


async def test_without_a_worker_a_caller_hears_busy(
    running: Servers, client: api.LiveKitAPI
) -> None:
    """486 within 3 s of the event, after the agent was asked for again and again."""
    told: list[tuple[str, str]] = []
    guard = Guard(client, Workers(), lambda room, why: told.append((room, why)))
    task = asyncio.create_task(guard.run())
    try:
        with structlog.testing.capture_logs() as logs:
            async with Phone() as phone:
                ring = asyncio.create_task(
                    phone.dial(NUMBER, server=("127.0.0.1", running.ports["sip"]))
                )
                room = await room_of(client)
                guard.wake(room)
                started = time.monotonic()
                with pytest.raises(CallRefused) as refused:
                    await ring
                assert time.monotonic() - started < 3
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert refused.value.status == 486
    assert told == [(room, "busy")]
    acts = [each["act"] for each in logs if each["event"] == "guard acts"]
    assert acts[-1] == "let the caller hear busy"
    assert len(acts) > 2
    assert set(acts[:-1]) == {"ask for an agent again"}


async def room_of(client: api.LiveKitAPI) -> str:
    """The room of the call that comes in."""
    async with asyncio.timeout(10):
        while not (rooms := (await client.room.list_rooms(api.ListRoomsRequest())).rooms):
            await asyncio.sleep(0.02)
    return rooms[0].name


async def test_the_room_of_a_server_that_was_killed_goes(
    running: Servers, client: api.LiveKitAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis keeps room and caller, and no server ever removes them."""
    monkeypatch.setattr(guards, "LOST_S", 0.5)
    async with Phone() as phone:
        ring = asyncio.create_task(phone.dial(NUMBER, server=("127.0.0.1", running.ports["sip"])))
        room = await caller_in_a_room(client)
        running.stop("livekit-server")
        running.stop("livekit-sip")
        ring.cancel()
        await asyncio.gather(ring, return_exceptions=True)
    running.start_livekit()
    running.start_sip()
    assert await caller_in_a_room(client) == room  # as the server says for ever
    task = asyncio.create_task(Guard(client, Workers(), lambda *_: None).run())
    try:
        async with asyncio.timeout(30):
            while (await client.room.list_rooms(api.ListRoomsRequest(names=[room]))).rooms:
                await asyncio.sleep(0.1)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def caller_in_a_room(client: api.LiveKitAPI) -> str:
    """The room that the server says somebody is in."""
    async with asyncio.timeout(10):
        while True:
            for room in (await client.room.list_rooms(api.ListRoomsRequest())).rooms:
                asked = api.ListParticipantsRequest(room=room.name)
                if (await client.room.list_participants(asked)).participants:
                    return room.name
            await asyncio.sleep(0.02)

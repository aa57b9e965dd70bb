"""The guard on real servers without any worker: nobody is there to answer."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import aiohttp
import pytest
import structlog
from livekit import api
from livekit.protocol.agent import (
    AvailabilityResponse,
    JobType,
    RegisterWorkerRequest,
    ServerMessage,
    WorkerMessage,
)
from tests.servers import KEY, SECRET, Servers, gateway
from tests.unit.control.test_workers import beat
from tests.unit.lines.test_lines_plan import LINE

from control import guard as guards
from control.guard import Guard
from control.workers import Workers
from voicestack.lines.apply import switchboard
from voicestack.lines.wanted import networks, wanted
from voicestack.phone import CallRefused, Phone

pytestmark = pytest.mark.calls

NUMBER = "+15550188"
AGENT = LINE.agent
# It is decided after 2.5 s (control/verdict.py); a busy machine needs time to say so.
BUSY_S = 10.0


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
    """486 within seconds of the event, after the agent was asked for again."""
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
                assert time.monotonic() - started < BUSY_S
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert refused.value.status == 486
    assert told == [(room, "busy")]
    acts = [each["act"] for each in logs if each["event"] == "guard acts"]
    assert acts[-1] == "let the caller hear busy"
    assert len(acts) > 1
    assert set(acts[:-1]) == {"ask for an agent again"}


async def test_a_job_that_is_not_listed_yet_is_not_given_twice(
    running: Servers, client: api.LiveKitAPI
) -> None:
    """A worker that has just registered has the job; the server lists it seconds later."""
    workers = Workers()
    guard = Guard(client, workers, lambda *_: None)
    async with one_job(running, AGENT) as given:
        tasks: list[asyncio.Task[object]] = []
        try:
            with structlog.testing.capture_logs() as logs:
                async with Phone() as phone:
                    sip = ("127.0.0.1", running.ports["sip"])
                    tasks.append(asyncio.create_task(phone.dial(NUMBER, server=sip)))
                    async with asyncio.timeout(10):
                        worker, job = await given
                    workers.take(beat(worker, (job.id, job.room.name)))
                    tasks.append(asyncio.create_task(guard.run()))
                    async with asyncio.timeout(20):
                        while not await listed(client, job):
                            workers.take(beat(worker, (job.id, job.room.name)))
                            await asyncio.sleep(0.2)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(api.ServerError):
                await client.room.delete_room(api.DeleteRoomRequest(room=job.room.name))
    assert [each["act"] for each in logs if each["event"] == "guard acts"] == []


async def listed(client: api.LiveKitAPI, job: api.Job) -> bool:
    found = await client.agent_dispatch.list_dispatch(job.room.name)
    return job.id in {one.id for each in found for one in each.state.jobs}


@contextlib.asynccontextmanager
async def one_job(
    running: Servers, agent: str
) -> AsyncIterator[asyncio.Future[tuple[str, api.Job]]]:
    """A worker that takes one job and does nothing about it; the future has worker and job."""
    token = api.AccessToken(KEY, SECRET).with_grants(api.VideoGrants(agent=True)).to_jwt()
    url = running.url.replace("http", "ws") + "/agent"
    register = RegisterWorkerRequest(type=JobType.JT_ROOM, agent_name=agent, version="0")
    given: asyncio.Future[tuple[str, api.Job]] = asyncio.get_running_loop().create_future()

    async def take(ws: aiohttp.ClientWebSocketResponse, worker: str) -> None:
        while True:
            message = ServerMessage.FromString(await ws.receive_bytes())
            if message.HasField("availability"):
                job = message.availability.job
                yes = AvailabilityResponse(
                    job_id=job.id, available=True, participant_identity="agent-1"
                )
                await ws.send_bytes(WorkerMessage(availability=yes).SerializeToString())
            elif message.HasField("assignment") and not given.done():
                given.set_result((worker, message.assignment.job))

    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers) as ws:
        await ws.send_bytes(WorkerMessage(register=register).SerializeToString())
        welcome = ServerMessage.FromString(await ws.receive_bytes(timeout=5))
        taking = asyncio.create_task(take(ws, welcome.register.worker_id))
        try:
            yield given
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)


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

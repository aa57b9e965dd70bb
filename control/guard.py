"""The call guard: no caller rings for nothing, no caller talks to nobody.

livekit-server makes one try to find an agent. If no worker is registered or free at that moment, or
the agent's process dies later, nothing happens at all (pkg/rtc/room.go, launchRoomAgents; 1.13.5).
"""

import asyncio
import contextlib
import time
from collections.abc import Callable

import structlog
from livekit import api
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.webhook import WebhookEvent

from control.verdict import Dispatch, Facts, Job, Memory, Verdict, judge
from control.workers import Workers
from voicestack.outbound.transfer import ASKED, JOINED, ROLE

log = structlog.get_logger()

# How often a room is looked at: while a caller waits; while all is well, and events tell the rest.
LOOK_ALONE_S, LOOK_CALM_S = 0.2, 5.0
# Rooms that no event told of: made while control was away.
SWEEP_S = 5.0
# A room in which no worker has a job, and whose server is silent for so long, is none any more.
LOST_S = 10.0
ENDED = (api.JobStatus.JS_SUCCESS, api.JobStatus.JS_FAILED)
Notice = Callable[[str, str], None]
Census = Callable[[frozenset[str], float], None]


class NodeSilentError(Exception):
    """The server lists a room, but no server has it: the one that did was killed."""


class Guard:
    """One task for each room with people in it."""

    def __init__(
        self,
        client: api.LiveKitAPI,
        workers: Workers,
        notice: Notice,
        census: Census = lambda _rooms, _asked_at: None,
    ) -> None:
        self._client, self._workers = client, workers
        self._notice, self._census = notice, census
        self._wakes: dict[str, asyncio.Event] = {}
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Guard for ever."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                while True:
                    await self._sweep()
                    await asyncio.sleep(SWEEP_S)
            finally:
                self._group = None  # a group that ends takes no more tasks

    async def _sweep(self) -> None:
        asked_at = time.time()
        try:
            listed = await self._client.room.list_rooms(api.ListRoomsRequest())
        except Exception as error:  # the server is down or starts: the keeper says so aloud
            log.debug("rooms not listed", reason=repr(error))
            return
        self._census(frozenset(room.name for room in listed.rooms), asked_at)
        for room in listed.rooms:
            self._watch(room.name)

    def on_event(self, event: WebhookEvent) -> None:
        """Look at the room of an event now."""
        if event.room.name and event.event != "room_finished":
            self.wake(event.room.name)

    def wake(self, room: str) -> None:
        """Look at a room now."""
        self._watch(room)
        if room in self._wakes:
            self._wakes[room].set()

    def _watch(self, room: str) -> None:
        if self._group is not None and room not in self._wakes:
            self._wakes[room] = asyncio.Event()
            self._group.create_task(self._keep(room), name=f"guard {room}")

    async def _keep(self, room: str) -> None:
        memory = Memory()
        try:
            while await self._guarded(room, memory):
                calm = memory.alone_since is None
                await self._pause(room, LOOK_CALM_S if calm else LOOK_ALONE_S)
        finally:
            del self._wakes[room]

    async def _guarded(self, room: str, memory: Memory) -> bool:
        """Look and act once; False when the room is gone."""
        try:
            facts = await self._look(room)
            if facts is None:
                return False
            memory.silent_since = None
            if facts.joined and not memory.joined:
                self._notice(room, "transferred")
            verdict = judge(facts, memory, time.monotonic())
            if verdict is not Verdict.WAIT:
                await self._act(room, facts, memory, verdict)
        except NodeSilentError:
            await self._remove_if_lost(room, memory)
        except Exception as error:  # the next look may go well; other calls are guarded meanwhile
            log.warning("guard failed", room=room, reason=repr(error))
        return True

    async def _remove_if_lost(self, room: str, memory: Memory) -> None:
        """Callers of a lost room would count for ever, and it would be listed as a call."""
        now = time.monotonic()
        memory.silent_since = memory.silent_since or now
        if now - memory.silent_since < LOST_S or room in self._workers.attended():
            return
        log.warning("guard acts", room=room, act="remove the room of a server that was killed")
        with contextlib.suppress(api.ServerError, TimeoutError):  # else at the next look
            # A room is removed by the server that has it (service/roomservice.go): give it one.
            await self._client.room.create_room(api.CreateRoomRequest(name=room))
            await self._client.room.delete_room(api.DeleteRoomRequest(room=room))

    async def _pause(self, room: str, pause_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._wakes[room].wait()
        self._wakes[room].clear()

    async def _look(self, room: str) -> Facts | None:
        """The room now; None if it is gone."""
        # Asked about a room that is gone, the dispatch service waits 3 s for its node to answer.
        if not (await self._client.room.list_rooms(api.ListRoomsRequest(names=[room]))).rooms:
            return None
        request = api.ListParticipantsRequest(room=room)
        people = (await self._client.room.list_participants(request)).participants
        try:
            dispatches = await self._client.agent_dispatch.list_dispatch(room)
        except (api.ServerError, TimeoutError) as error:
            raise NodeSilentError from error
        if not people and not dispatches:
            return None  # no agent was asked for; an event tells who joins
        callers = [each for each in people if _is_caller(each)]
        agents = [each for each in people if each.kind == ParticipantInfo.Kind.AGENT]
        # For 5 s after a worker has registered, and at the first call of a minute, a job that was
        # given is listed nowhere (livekit-server 1.13.5, agent/client.go: LaunchJob waits for
        # checkEnabled). Asked again, a second agent would come, and the first one's job end.
        listed = {job.id for each in dispatches for job in each.state.jobs}
        return Facts(
            callers=tuple(each.identity for each in callers),
            ringing=any(each.attributes.get("sip.callStatus") == "ringing" for each in callers),
            agents=tuple(each.identity for each in agents),
            joined=any(each.attributes.get(ROLE) == JOINED for each in callers),
            dispatches=tuple(self._dispatch(each) for each in dispatches),
            coming=bool(self._workers.jobs_in(room) - listed),
        )

    def _dispatch(self, info: api.AgentDispatch) -> Dispatch:
        jobs = []
        for job in info.state.jobs:
            age_s = max(0.0, time.time() - job.state.started_at / 1e9)
            alive = (
                False  # refused for good, or done
                if job.state.status in ENDED
                else self._workers.has_job(job.state.worker_id, job.id, age_s)
            )
            jobs.append(Job(job.id, job.state.participant_identity, alive))
        return Dispatch(info.id, info.agent_name, info.metadata, tuple(jobs))

    async def _act(self, room: str, facts: Facts, memory: Memory, verdict: Verdict) -> None:
        log.warning("guard acts", room=room, act=verdict.value, ringing=facts.ringing)
        if verdict is Verdict.DISPATCH and memory.wanted is not None:
            await self._dispatch_again(room, facts, memory.wanted)
        elif verdict is Verdict.BUSY:
            self._notice(room, "busy")
            # livekit-sip answers 486 when a phone that still rings is removed.
            await self._remove(room, facts.callers)
        else:
            if verdict is Verdict.END:
                self._notice(room, "agent lost")
            await self._client.room.delete_room(api.DeleteRoomRequest(room=room))

    async def _dispatch_again(self, room: str, facts: Facts, wanted: Dispatch) -> None:
        """A new request in place of the old: the server ends a job that still comes of that one."""
        await self._remove(room, facts.dead & set(facts.agents))
        for old in facts.dispatches:
            with contextlib.suppress(api.ServerError):
                await self._client.agent_dispatch.delete_dispatch(old.id, room)
        await self._client.agent_dispatch.create_dispatch(
            api.CreateAgentDispatchRequest(
                agent_name=wanted.agent, room=room, metadata=wanted.metadata
            )
        )

    async def _remove(self, room: str, identities: frozenset[str] | tuple[str, ...]) -> None:
        for identity in identities:
            with contextlib.suppress(api.ServerError):  # gone by itself meanwhile
                await self._client.room.remove_participant(
                    api.RoomParticipantIdentity(room=room, identity=identity)
                )


def _is_caller(who: ParticipantInfo) -> bool:
    kinds = (ParticipantInfo.Kind.SIP, ParticipantInfo.Kind.STANDARD)
    is_asked = who.attributes.get(ROLE) == ASKED
    return who.kind in kinds and not who.permission.hidden and not is_asked

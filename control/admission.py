"""Callers who are turned away while it rings: blocked, too many at a time, closed.

livekit knows no such list and no such limit. Its word that a caller has joined comes 0.1 s after
the INVITE, before an agent has greeted: he hears busy (486), and the agent is free again.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog
from livekit import api
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.webhook import WebhookEvent

from voicestack.lines import hours
from voicestack.lines.model import Line
from voicestack.lines.wanted import called_number
from voicestack.outbound.transfer import ROLE

log = structlog.get_logger()

# By then an agent has taken the call, and its worker tells whether the caller is heard.
STARTING_S = 8.0


@dataclass(frozen=True, slots=True)
class Caller:
    """One phone in one room; livekit makes the identity of its number, or of that one's hash."""

    room: str
    line: str
    identity: str
    since: float = float("-inf")  # monotonic; when he called, if that was seen


def identities(number: str) -> frozenset[str]:
    """Return what livekit may call a caller of this number (protocol sip/sip.go, hidden or not)."""
    spellings = {number, number.removeprefix("+"), "00" + number.removeprefix("+")}
    hidden = {hashlib.sha256(each.encode()).digest()[:8].hex() for each in spellings}
    return frozenset(f"sip_{each}" for each in spellings | hidden)


def judge(caller: Caller, line: Line, others: Iterable[Caller], now: datetime) -> str | None:
    """Return why a caller is turned away; None: he is not."""
    if any(caller.identity in identities(number) for number in line.blocked):
        return "blocked"
    if not hours.is_open(line.hours, now) and not line.closed:
        return "closed"
    others = list(others)
    if sum(each.identity == caller.identity for each in others) >= line.calls_per_caller:
        return "caller has calls up"
    if line.max_calls and sum(each.line == line.number for each in others) >= line.max_calls:
        return "line full"
    return None


def is_caller(who: ParticipantInfo) -> bool:
    """Tell who calls us from whom we call: a customer, or a colleague who is asked."""
    ours = {ROLE, "voicestack.direction"} & set(who.attributes)
    return who.kind == ParticipantInfo.Kind.SIP and not ours


class Admission:
    """Who is calling now, and who may not."""

    def __init__(
        self,
        client: api.LiveKitAPI,
        lines: Callable[[], Iterable[Line]],
        notice: Callable[[str, str], None],
        heard: Callable[[], set[str]] = set,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._lines, self._notice = client, lines, notice
        self._heard, self._clock = heard, clock
        self._callers: dict[str, Caller] = {}
        self._new: asyncio.Queue[Caller] = asyncio.Queue()

    async def run(self) -> None:
        """Judge callers as they come, each by himself: one that livekit is slow about waits alone.

        Who called before control started is counted first.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._count_present())
            while True:
                group.create_task(self._judged(await self._new.get()))

    async def _judged(self, caller: Caller) -> None:
        try:
            await self.admit(caller)
        except Exception as error:  # the next caller may be judged well
            log.warning("caller not judged", room=caller.room, reason=repr(error))

    async def _count_present(self) -> None:
        try:
            for room in (await self._client.room.list_rooms(api.ListRoomsRequest())).rooms:
                asked = api.ListParticipantsRequest(room=room.name)
                for who in (await self._client.room.list_participants(asked)).participants:
                    if is_caller(who):
                        caller = Caller(room.name, called_number(room.name), who.identity)
                        self._callers.setdefault(room.name, caller)
        except Exception as error:  # livekit starts as well: then nobody is there
            log.debug("callers not counted", reason=repr(error))

    def on_event(self, event: WebhookEvent) -> None:
        """Note who comes and goes."""
        who, room = event.participant, event.room.name
        if event.event == "room_finished":
            self._callers.pop(room, None)
        if not is_caller(who):
            return
        if event.event == "participant_left":
            self._callers.pop(room, None)
        elif event.event == "participant_joined":
            caller = Caller(room, called_number(room), who.identity, self._clock())
            self._callers[room] = caller
            self._new.put_nowait(caller)

    async def admit(self, caller: Caller, now: datetime | None = None) -> str | None:
        """Turn a caller away, or not; why."""
        line = next((each for each in self._lines() if each.number == caller.line), None)
        if line is None:
            return None
        now = now or datetime.now()
        why = judge(caller, line, self._others(caller), now)
        if why in {"caller has calls up", "line full"}:
            await self._forget_ended()  # an event may have been lost
            why = judge(caller, line, self._others(caller), now)
        if why is not None:
            log.warning("caller turned away", room=caller.room, line=caller.line, reason=why)
            self._notice(caller.room, why)
            await self._turn_away(caller)
        return why

    def _others(self, caller: Caller) -> list[Caller]:
        return [each for room, each in self._callers.items() if room != caller.room]

    async def _forget_ended(self) -> None:
        """Count those whom a worker hears, and those who have just called.

        The server's word is not enough: of a hang-up that was lost it learns after 20 s, and the
        rooms of one that was killed are listed for ever (1.13.5, service/redisstore.go).
        """
        request = api.ListRoomsRequest(names=list(self._callers))
        there = {room.name for room in (await self._client.room.list_rooms(request)).rooms}
        heard, starting = self._heard(), self._clock() - STARTING_S
        self._callers = {
            room: each
            for room, each in self._callers.items()
            if room in there and (room in heard or each.since > starting)
        }

    async def _turn_away(self, caller: Caller) -> None:
        self._callers.pop(caller.room, None)
        with contextlib.suppress(api.ServerError):  # he gave up meanwhile
            # livekit-sip answers 486 when a phone that still rings is removed.
            await self._client.room.remove_participant(
                api.RoomParticipantIdentity(room=caller.room, identity=caller.identity)
            )
        with contextlib.suppress(api.ServerError):
            await self._client.room.delete_room(api.DeleteRoomRequest(room=caller.room))

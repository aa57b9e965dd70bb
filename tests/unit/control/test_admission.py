"""Who is turned away, and why."""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from livekit import api
from livekit.protocol.models import ParticipantInfo, Room
from livekit.protocol.webhook import WebhookEvent
from tests.unit.lines.test_lines_plan import LINE

from control.admission import STARTING_S, Admission, Caller, identities, judge
from voicestack.lines import hours

NOW = datetime(2026, 11, 26, 12, 0)  # a Thursday
HIDDEN = "sip_091b9aa2ed6e93b8"  # what livekit 1.13.5 makes of +15105550123 where it is hidden
CALLER = Caller("call-_+15550100_a", LINE.number, HIDDEN)
OPEN, SHUT = hours.read("Thu 09:00-17:00") or (), hours.read("Fri 09:00-17:00") or ()


def others(count: int, **changed: str) -> list[Caller]:
    return [replace(CALLER, room=f"r{number}", **changed) for number in range(count)]


def test_a_hidden_number_is_known_by_its_hash() -> None:
    """As livekit makes it, with or without +, and shown."""
    assert HIDDEN in identities("+15105550123")
    assert {"sip_+15105550123", "sip_15105550123"} < identities("+15105550123")


@pytest.mark.parametrize(
    ("line", "up", "why"),
    [
        (LINE, others(0), None),
        (replace(LINE, blocked=frozenset(("+15105550123",))), others(0), "blocked"),
        (replace(LINE, blocked=frozenset(("+15105550124",))), others(0), None),
        (LINE, others(1), None),
        (LINE, others(2), "caller has calls up"),
        (LINE, others(2, identity="sip_other"), None),
        (replace(LINE, calls_per_caller=3), others(2), None),
        (LINE, others(2, line="+15550101"), "caller has calls up"),
        (replace(LINE, max_calls=2), others(2, identity="sip_other"), "line full"),
        (replace(LINE, max_calls=2), others(2, identity="x", line="+15550101"), None),
        (replace(LINE, hours=OPEN), others(0), None),
        (replace(LINE, hours=SHUT), others(0), "closed"),
        (replace(LINE, hours=SHUT, closed="We are closed."), others(0), None),
    ],
)
def test_why(line: Any, up: list[Caller], why: str | None) -> None:
    """The first reason there is."""
    assert judge(CALLER, line, up, NOW) == why


class Rooms:
    """A server that has these rooms, and notes who is removed."""

    def __init__(self, *rooms: str) -> None:
        self.rooms, self.removed = set(rooms), []  # type: ignore[var-annotated]
        self.room = self
        self.counted = asyncio.Event()

    async def list_participants(self, request: Any) -> Any:
        if request.room == max(self.rooms):
            asyncio.get_running_loop().call_soon(self.counted.set)
        kind = ParticipantInfo.Kind.SIP
        who = ParticipantInfo(kind=kind, identity=CALLER.identity)
        return api.ListParticipantsResponse(participants=[who])

    async def list_rooms(self, request: Any) -> Any:
        there = [
            Room(name=name) for name in request.names or sorted(self.rooms) if name in self.rooms
        ]
        return api.ListRoomsResponse(rooms=there)

    async def remove_participant(self, request: Any) -> None:
        self.removed.append(request.identity)

    async def delete_room(self, request: Any) -> None:
        self.rooms.discard(request.room)


def event(kind: str, room: str, **attributes: str) -> WebhookEvent:
    who = ParticipantInfo(
        kind=ParticipantInfo.Kind.SIP, identity=CALLER.identity, attributes=attributes
    )
    return WebhookEvent(event=kind, room=Room(name=room), participant=who)


async def test_calls_that_ended_unnoticed_are_not_counted() -> None:
    """The server is asked before somebody is turned away for calls of which no end was told."""
    told: list[tuple[str, str]] = []
    names = [f"call-_+15550100_{letter}" for letter in "abc"]
    server = Rooms(names[1], names[2])
    made: Any = server
    admission = Admission(made, lambda: [LINE], lambda room, why: told.append((room, why)))
    for name in names:
        admission.on_event(event("participant_joined", name))
    assert await admission.admit(Caller(names[2], LINE.number, HIDDEN), NOW) is None
    server.rooms.add(names[0])
    admission.on_event(event("participant_joined", names[0]))
    assert await admission.admit(Caller(names[2], LINE.number, HIDDEN), NOW) is not None
    assert told == [(names[2], "caller has calls up")]
    assert server.removed == [HIDDEN]


async def test_a_caller_who_is_not_heard_is_not_counted() -> None:
    """His hang-up was lost: the server keeps him for 20 s, and he may call again at once."""
    names = [f"call-_+15550100_{letter}" for letter in "abc"]
    server: Any = Rooms(*names)
    now, heard = [0.0], set(names[:2])
    admission = Admission(server, lambda: [LINE], lambda *_: None, lambda: heard, lambda: now[0])
    for name in names:
        admission.on_event(event("participant_joined", name))
    now[0] = STARTING_S + 1
    assert await admission.admit(Caller(names[2], LINE.number, HIDDEN), NOW) is not None
    heard.discard(names[0])
    assert await admission.admit(Caller(names[2], LINE.number, HIDDEN), NOW) is None


async def test_callers_of_a_server_that_was_killed_are_not_counted() -> None:
    """It lists them for ever; who really was on the line when control began is heard."""
    names = [f"call-_+15550100_{letter}" for letter in "ab"]
    server: Any = Rooms(*names)
    heard: set[str] = set()
    admission = Admission(server, lambda: [LINE], lambda *_: None, lambda: heard)
    running = asyncio.create_task(admission.run())
    await server.counted.wait()
    assert await admission.admit(CALLER, NOW) is None
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_who_called_before_control_began_is_counted() -> None:
    """A worker hears him."""
    names = [f"call-_+15550100_{letter}" for letter in "xy"]
    server: Any = Rooms(*names)
    admission = Admission(server, lambda: [LINE], lambda *_: None, lambda: set(names))
    running = asyncio.create_task(admission.run())
    await server.counted.wait()
    assert await admission.admit(CALLER, NOW) == "caller has calls up"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_whom_we_call_is_no_caller() -> None:
    """Neither a customer nor a colleague who is asked counts for the limits of a line."""
    server: Any = Rooms()
    admission = Admission(server, lambda: [replace(LINE, max_calls=1)], lambda *_: None)
    outbound = {"voicestack.direction": "outbound"}
    admission.on_event(event("participant_joined", "call-_+15550100_x", **outbound))
    admission.on_event(event("participant_joined", "call-_+15550100_y", **{"voicestack.role": "a"}))
    assert await admission.admit(CALLER, NOW) is None

"""An answered call: who picked up, and how it ended."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from livekit import api
from livekit.protocol.models import ParticipantInfo

from voicestack.office import Office, OfficeError
from voicestack.outbound.dial import Outcome

LOOK_S = 0.2
# The agent's word for who picked up (agent/voice_agent/callee/tell.py).
PICKED_UP_BY = "voicestack.picked_up_by"
RESULTS = {"person": "answered", "voicemail": "voicemail"}
SCREENING = "screening"
# An agent knows within this, or it is not one of ours; a screened call is decided when a person
# comes or the assistant hangs up.
UNDECIDED_S, SCREENED_S = 20.0, 60.0
# Webhooks and reports of a call arrive within moments of its end.
HISTORY_S = 5.0
PATIENCE_S = 15.0
Answer = TypeVar("Answer")
AGENT = ParticipantInfo.Kind.AGENT


async def picked_up(office: Office, room: str) -> str:
    """Return `answered`, `voicemail` or `screened` as soon as the agent knows."""
    try:
        async with asyncio.timeout(UNDECIDED_S) as limit:
            while await _patiently(office, room, _is_up):
                words = await _patiently(office, room, _words)
                if found := next((RESULTS[word] for word in words if word in RESULTS), None):
                    return found
                if SCREENING in words:
                    limit.reschedule(asyncio.get_running_loop().time() + SCREENED_S)
                await asyncio.sleep(LOOK_S)  # the API tells of no events
    except TimeoutError:
        return "answered"
    known = await recorded(office, room)
    return known.result if known else "answered"


async def until_ended(office: Office, room: str) -> None:
    """Wait for the end of a call that was answered."""
    while True:
        if not await _patiently(office, room, _is_up):
            return
        await asyncio.sleep(5 * LOOK_S)  # the API tells of no events


async def recorded(office: Office, room: str) -> Outcome | None:
    """Return what the call history knows of a call that is over; None if that is nothing."""
    try:
        async with asyncio.timeout(HISTORY_S):
            while True:
                call = await office.control(f"/calls/{room}")
                if call["call"] and call["ended_at"]:
                    break
                await asyncio.sleep(LOOK_S)
    except (TimeoutError, OfficeError):
        return None
    result = call["result"]
    if result == "unknown":  # control was away at its end
        return None
    # History's word for a phone that rang until somebody gave up.
    return Outcome("no answer" if result == "gave up" else result, room)


async def _is_up(client: api.LiveKitAPI, room: str) -> bool:
    return bool((await client.room.list_rooms(api.ListRoomsRequest(names=[room]))).rooms)


async def _words(client: api.LiveKitAPI, room: str) -> list[str]:
    request = api.ListParticipantsRequest(room=room)
    try:
        people = (await client.room.list_participants(request)).participants
    except api.ServerError:  # the room has just gone; the next look tells
        return []
    return [p.attributes.get(PICKED_UP_BY, "") for p in people if p.kind == AGENT]


async def _patiently(
    office: Office, room: str, ask: Callable[[api.LiveKitAPI, str], Awaitable[Answer]]
) -> Answer:
    """Ask again for a while: a call that is up is not given up for one slow answer."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            async with office.livekit() as client:
                return await ask(client, room)
        except OfficeError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(LOOK_S)

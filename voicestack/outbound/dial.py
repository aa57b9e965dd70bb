"""One outbound call: agent into a room, the other side dialled into it, and how it ended."""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
from google.protobuf.duration_pb2 import Duration
from livekit import api
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.sip import CreateSIPParticipantRequest, SIPOutboundConfig, SIPTransport

from voicestack.office import Office
from voicestack.outbound.rules import Trunk

ROOM = "out-"
# An agent that is warm comes in half a second; nobody is called before it is there to speak. On a
# busy machine a cold one takes ten times as long, and nobody waits at a telephone meanwhile.
AGENT_S = 20.0
# A worker whose lines are busy, or that just starts, refuses a job for good: livekit-server asks
# once (control/guard.py asks again for callers, and here there is none yet).
ASK_AGAIN_S = 1.5
ENDED = (api.JobStatus.JS_SUCCESS, api.JobStatus.JS_FAILED)
LOOK_S = 0.1
# livekit answers a dial when it is answered or given up; beyond ringing this is its own time.
GRACE_S = 10.0
TRANSPORTS = {
    "udp": SIPTransport.SIP_TRANSPORT_UDP,
    "tcp": SIPTransport.SIP_TRANSPORT_TCP,
    "tls": SIPTransport.SIP_TRANSPORT_TLS,
}
# RFC 3261 21.4 to 21.6, as a person would say it.
RESULTS = {
    **dict.fromkeys((486, 600), "busy"),
    **dict.fromkeys((408, 480, 487), "no answer"),
    **dict.fromkeys((403, 603, 607, 608), "declined"),
    **dict.fromkeys((404, 410, 484, 485, 604), "invalid"),
}
AGENT = ParticipantInfo.Kind.AGENT
Tell = Callable[[str], None]


def new_room() -> str:
    """Name a room before anything is done in it, so that a crash can be looked into."""
    return ROOM + secrets.token_hex(6)


@dataclass(frozen=True, slots=True)
class Order:
    """What to do."""

    number: str
    trunk: Trunk
    asked: api.RoomAgentDispatch  # which agent speaks
    ring_s: int
    max_call_s: int
    room: str = field(default_factory=new_room)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    # answered, voicemail, screened, busy, no answer, declined, invalid, carrier error, no agent
    result: str
    room: str
    sip_code: int | None = None
    sip_reason: str = ""
    answered_after_s: float | None = None


async def dial(
    office: Office, order: Order, tell: Tell, about_to_ring: Callable[[], None] = lambda: None
) -> Outcome:
    """Place the call; the room lives on when it was answered, and is closed when not.

    Before `about_to_ring` nothing has left this machine; after it, the other side may ring.
    """
    room, answered = order.room, False
    async with office.livekit() as client:
        try:
            if not await _agent_comes(client, room, order):
                return Outcome("no agent", room)
            tell(f"{order.asked.agent_name} is ready, dialling")
            about_to_ring()
            outcome = await _ring(client, room, order, tell)
            answered = outcome.result == "answered"
            return outcome
        finally:
            if not answered:
                await _close(client, room)


async def _agent_comes(client: api.LiveKitAPI, room: str, order: Order) -> bool:
    """Ask for the agent until it is there; a refusal is not the last word."""
    try:
        async with asyncio.timeout(AGENT_S):
            while True:
                asked = await client.agent_dispatch.create_dispatch(
                    api.CreateAgentDispatchRequest(
                        agent_name=order.asked.agent_name, room=room, metadata=order.asked.metadata
                    )
                )
                if await _comes_of(client, room, asked.id):
                    return True
                await client.agent_dispatch.delete_dispatch(asked.id, room)
    except TimeoutError:
        return False


async def _comes_of(client: api.LiveKitAPI, room: str, asked: str) -> bool:
    """Wait for the agent as long as somebody works at this request."""
    idle_since = time.monotonic()
    while time.monotonic() - idle_since < ASK_AGAIN_S:
        if any(p.kind == AGENT for p in await _people(client, room)):
            return True
        listed = await client.agent_dispatch.list_dispatch(room)
        jobs = [job for each in listed if each.id == asked for job in each.state.jobs]
        if any(job.state.status not in ENDED for job in jobs):
            idle_since = time.monotonic()
        await asyncio.sleep(LOOK_S)
    return False


async def _ring(client: api.LiveKitAPI, room: str, order: Order, tell: Tell) -> Outcome:
    progress = asyncio.create_task(_progress(client, room, tell), name="progress")
    started = time.monotonic()
    try:
        # Its own client: the dial lasts as long as it rings, all else milliseconds.
        await client.sip.create_sip_participant(
            _request(room, order), timeout=order.ring_s + GRACE_S
        )
    except (TimeoutError, aiohttp.ServerTimeoutError):
        return Outcome("no answer", room)
    except api.ServerError as error:
        return _failed(room, error)
    finally:
        progress.cancel()
    took_s = round(time.monotonic() - started, 1)
    return Outcome("answered", room, 200, "OK", took_s)


def _failed(room: str, error: api.ServerError) -> Outcome:
    if isinstance(error, api.SipCallError) and (code := error.sip_status_code):
        result = RESULTS.get(code, "carrier error")
        return Outcome(result, room, code, error.sip_status or error.message)
    # livekit-sip gave up after `ringing_timeout` (sip outbound.go: "sip request timed out").
    rang_out = error.code in {api.ServerErrorCode.CANCELED, api.ServerErrorCode.DEADLINE_EXCEEDED}
    return Outcome("no answer" if rang_out else "carrier error", room, None, error.message)


def _request(room: str, order: Order) -> CreateSIPParticipantRequest:
    trunk = order.trunk
    config = SIPOutboundConfig(hostname=trunk.address, transport=TRANSPORTS[trunk.transport])
    if trunk.digest is not None:
        config.auth_username, config.auth_password = trunk.digest.user, trunk.digest.password
    return CreateSIPParticipantRequest(
        trunk=config,
        sip_number=trunk.caller,
        sip_call_to=order.number,
        room_name=room,
        participant_identity="callee",
        # Logs and rooms learn no number; the other side's own word for it is in the INVITE.
        hide_phone_number=True,
        # What the call history says of it (control/desk.py).
        participant_attributes={
            "voicestack.direction": "outbound",
            "voicestack.line": trunk.caller,
        },
        ringing_timeout=Duration(seconds=order.ring_s),
        max_call_duration=Duration(seconds=order.max_call_s),
        wait_until_answered=True,
    )


async def _progress(client: api.LiveKitAPI, room: str, tell: Tell) -> None:
    """Tell of each new state of the other side's leg."""
    told = ""
    while True:
        for who in await _people(client, room):
            status = who.attributes.get("sip.callStatus", "")
            if status and status != told:
                told = status
                tell(status)
        await asyncio.sleep(LOOK_S)


async def _people(client: api.LiveKitAPI, room: str) -> list[ParticipantInfo]:
    request = api.ListParticipantsRequest(room=room)
    return list((await client.room.list_participants(request)).participants)


async def _close(client: api.LiveKitAPI, room: str) -> None:
    try:
        await client.room.delete_room(api.DeleteRoomRequest(room=room))
    except api.ServerError as error:
        if error.code != api.ServerErrorCode.NOT_FOUND:
            raise

"""What livekit-server's API says of the room of one call."""

import contextlib
from dataclasses import dataclass

import aiohttp
from livekit import api
from livekit.protocol.agent import JobStatus
from livekit.protocol.models import ParticipantInfo, TrackType

from voicestack.diagnosis.model import Context

TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Job:
    """One job of one dispatch."""

    agent: str
    worker: str
    failed: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    """Who was asked for, and who is there."""

    name: str
    dispatches: int  # that ask for somebody
    jobs: tuple[Job, ...]
    agents: int  # participants of kind agent
    agent_tracks: int  # their audio tracks
    callers: int


def livekit(context: Context) -> api.LiveKitAPI:
    """A client of the server's API that waits for nobody."""
    held = context.secrets
    url = f"http://127.0.0.1:{context.ports['livekit_http']}"
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    key = (held.livekit_api_key, held.livekit_api_secret)
    return api.LiveKitAPI(url, *key, timeout=timeout, failover=False)


async def forget(context: Context, name: str) -> None:
    """End a room of our own; one that cannot be ended now is gone some seconds later."""
    with contextlib.suppress(api.ServerError, aiohttp.ClientError, TimeoutError, OSError):
        async with livekit(context) as client:
            await client.room.delete_room(api.DeleteRoomRequest(room=name))


async def look(context: Context, name: str) -> Room | None:
    """The room by its name; None if it is not there (any more) or nobody could be asked."""
    try:
        async with livekit(context) as client:
            found = await client.room.list_rooms(api.ListRoomsRequest(names=[name]))
            if not found.rooms:
                return None
            people = await client.room.list_participants(api.ListParticipantsRequest(room=name))
            dispatches = await client.agent_dispatch.list_dispatch(room_name=name)
    except (api.ServerError, aiohttp.ClientError, TimeoutError, OSError):
        return None
    agents = [p for p in people.participants if p.kind == ParticipantInfo.Kind.AGENT]
    jobs = tuple(
        Job(
            dispatch.agent_name,
            job.state.worker_id,
            job.state.status == JobStatus.JS_FAILED,
            job.state.error,
        )
        for dispatch in dispatches
        for job in dispatch.state.jobs
    )
    tracks = sum(track.type == TrackType.AUDIO for agent in agents for track in agent.tracks)
    callers = len(people.participants) - len(agents)
    # A room that asks for nobody is offered to workers without a name, of which we have none.
    named = sum(bool(dispatch.agent_name) for dispatch in dispatches)
    return Room(name, named, jobs, len(agents), tracks, callers)

"""Who hears whom while somebody is asked whether he takes a call: decided by the server.

livekit-server cannot move a phone from a consultation room to the caller's (1.13.5,
pkg/service/roommanager.go, MoveParticipant: "not implemented"), which livekit-agents' own
WarmTransferTask (1.8.9) needs. So both phones are in one room from the start, with a wall between:

- the caller's microphone is muted by the server: nobody hears him;
- our tracks may be had by those who are named, and the asked one is named for one track alone;
- the asked one's track is taken from the caller as soon as it is there, before anybody picks up.
"""

import asyncio
import logging

from livekit import api, rtc
from livekit.agents import JobContext

log = logging.getLogger("voice_agent.wall")

# A track is there within 0.2 s; one that is not never will be.
PUBLISH_S = 5.0
# What control and later agents tell the two by (voicestack/outbound/transfer.py).
ROLE, ASKED, JOINED = "voicestack.role", "asked", "joined"


class Wall:
    """Between a caller and the one who is asked, from `up` to `down`."""

    def __init__(self, ctx: JobContext, caller: rtc.RemoteParticipant, asked: str) -> None:
        self._ctx, self._room, self._caller, self._asked = ctx, ctx.room, caller, asked
        self._tasks: set[asyncio.Task[None]] = set()

    async def up(self) -> None:
        """Separate: before anybody is dialled."""
        await mute(self._ctx, self._caller, muted=True)
        self._share([])
        self._room.on("track_published", self._on_track)

    def let_hear(self, tracks: list[str]) -> None:
        """Let the asked one hear these of our tracks; everybody else those that they have."""
        self._share(tracks)

    async def down(self, *, joined: bool) -> None:
        """End it; `joined`: caller and asked one hear each other from now on."""
        self._room.off("track_published", self._on_track)
        self._room.local_participant.set_track_subscription_permissions(allow_all_participants=True)
        try:
            if joined and (asked := self._room.remote_participants.get(self._asked)):
                await self._caller_hears(audio_of(asked), hears=True)
            await mute(self._ctx, self._caller, muted=False)
        except api.ServerError as error:
            if error.code != api.ServerErrorCode.NOT_FOUND:  # the caller has hung up
                raise

    async def new_track(self, before: list[str]) -> str:
        """Wait for a track of ours that was not there before; a session publishes in its time."""
        published = asyncio.Event()

        def look(*_: object) -> None:
            if set(self.own_tracks()) - set(before):
                published.set()

        self._room.on("local_track_published", look)
        try:
            look()
            async with asyncio.timeout(PUBLISH_S):
                await published.wait()
        finally:
            self._room.off("local_track_published", look)
        return next(each for each in self.own_tracks() if each not in before)

    def own_tracks(self) -> list[str]:
        """List what we send now."""
        return list(self._room.local_participant.track_publications)

    def _share(self, with_asked: list[str]) -> None:
        ours = [each for each in self.own_tracks() if each not in with_asked]
        named = {each: ours for each in self._room.remote_participants if each != self._asked}
        named[self._asked] = with_asked
        self._room.local_participant.set_track_subscription_permissions(
            allow_all_participants=False,
            participant_permissions=[
                rtc.ParticipantTrackPermission(
                    participant_identity=who, allow_all=False, allowed_track_sids=tracks
                )
                for who, tracks in named.items()
            ],
        )

    def _on_track(self, track: rtc.RemoteTrackPublication, who: rtc.RemoteParticipant) -> None:
        if who.identity == self._asked:
            task = asyncio.create_task(self._caller_hears([track.sid], hears=False))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _caller_hears(self, tracks: list[str], *, hears: bool) -> None:
        await self._ctx.api.room.update_subscriptions(
            api.UpdateSubscriptionsRequest(
                room=self._room.name,
                identity=self._caller.identity,
                track_sids=tracks,
                subscribe=hears,
            )
        )


async def mute(ctx: JobContext, who: rtc.RemoteParticipant, *, muted: bool) -> None:
    """Have the server pass nothing on from somebody, or all again."""
    for track in audio_of(who):
        request = api.MuteRoomTrackRequest(
            room=ctx.room.name, identity=who.identity, track_sid=track, muted=muted
        )
        await ctx.api.room.mute_published_track(request)


async def remove(ctx: JobContext, identity: str) -> None:
    """Hang up on somebody; gone already is what we wanted."""
    request = api.RoomParticipantIdentity(room=ctx.room.name, identity=identity)
    try:
        await ctx.api.room.remove_participant(request)
    except api.ServerError as error:
        if error.code != api.ServerErrorCode.NOT_FOUND:
            raise


async def clear(ctx: JobContext, caller: rtc.RemoteParticipant | None) -> None:
    """Take down the wall of an agent that died while it asked somebody."""
    for who in list(ctx.room.remote_participants.values()):
        if who.attributes.get(ROLE) == ASKED:
            log.info("transfer of a lost agent given up")
            await remove(ctx, who.identity)
    if caller is not None:
        await mute(ctx, caller, muted=False)


def audio_of(who: rtc.RemoteParticipant) -> list[str]:
    """List the audio tracks of somebody."""
    return [
        each.sid
        for each in who.track_publications.values()
        if each.kind == rtc.TrackKind.KIND_AUDIO
    ]

"""An agent of a few lines for tests of the gateway: it comes into a room and hums."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import numpy as np
from livekit import api, rtc
from tests.servers import KEY, SECRET, Servers
from tests.unit.lines.test_lines_plan import LINE

from voicestack.lines.apply import switchboard
from voicestack.lines.wanted import networks, wanted
from voicestack.phone import Call, Phone

RATE_HZ = 48_000


class Agent:
    """A participant who hums: one tone for everybody, one for whom he briefs."""

    def __init__(self, room: rtc.Room) -> None:
        self.room = room
        self._humming: list[asyncio.Task[None]] = []

    async def hum(self, hz: int) -> str:
        """Send a tone on a track of its own until left; its id."""
        source = rtc.AudioSource(RATE_HZ, 1)
        track = rtc.LocalAudioTrack.create_audio_track(f"hum {hz}", source)
        sent = await self.room.local_participant.publish_track(track)
        self._humming.append(asyncio.create_task(self._send(source, hz)))
        return sent.sid

    async def _send(self, source: rtc.AudioSource, hz: int) -> None:
        wave = 8000 * np.sin(2 * np.pi * hz * np.arange(RATE_HZ) / RATE_HZ)
        while True:
            for frame in wave.astype(np.int16).reshape(-1, RATE_HZ // 50):
                await source.capture_frame(
                    rtc.AudioFrame(frame.tobytes(), RATE_HZ, 1, RATE_HZ // 50)
                )

    async def close(self) -> None:
        """Leave."""
        for task in self._humming:
            task.cancel()
        await self.room.disconnect()


@contextlib.asynccontextmanager
async def joined(running: Servers, room: str) -> AsyncIterator[Agent]:
    made = rtc.Room()
    await enter(made, running, room)
    agent = Agent(made)
    try:
        yield agent
    finally:
        await agent.close()


async def enter(made: rtc.Room, running: Servers, room: str) -> None:
    """Join as agents do."""
    grants = api.VideoGrants(room_join=True, room=room, agent=True)
    token = api.AccessToken(KEY, SECRET).with_identity("agent").with_kind("agent")
    await made.connect(running.url.replace("http", "ws"), token.with_grants(grants).to_jwt())


@contextlib.asynccontextmanager
async def dialling(running: Servers, number: str) -> AsyncIterator[tuple[str, asyncio.Task[Call]]]:
    """The room of a phone that calls a line of this number, and the call once it is answered."""
    async with (
        api.LiveKitAPI(running.url, KEY, SECRET) as client,
        switchboard(running.url, KEY, SECRET) as board,
        Phone() as phone,
    ):
        await board.apply([wanted(replace(LINE, number=number), networks())])
        ringing = asyncio.create_task(
            phone.dial(number, server=("127.0.0.1", running.ports["sip"]))
        )
        yield await room_of(client), ringing


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


async def room_of(client: api.LiveKitAPI) -> str:
    async with asyncio.timeout(30):
        while not (rooms := (await client.room.list_rooms(api.ListRoomsRequest())).rooms):
            await asyncio.sleep(0.02)
    return rooms[0].name

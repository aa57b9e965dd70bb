"""An agent of a few lines for tests of the gateway: it comes into a room and hums."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from livekit import api, rtc
from tests.servers import KEY, SECRET, Servers

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
    grants = api.VideoGrants(room_join=True, room=room, agent=True)
    token = api.AccessToken(KEY, SECRET).with_identity("agent").with_kind("agent")
    made = rtc.Room()
    await made.connect(running.url.replace("http", "ws"), token.with_grants(grants).to_jwt())
    agent = Agent(made)
    try:
        yield agent
    finally:
        await agent.close()


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


async def room_of(client: api.LiveKitAPI) -> str:
    async with asyncio.timeout(30):
        while not (rooms := (await client.room.list_rooms(api.ListRoomsRequest())).rooms):
            await asyncio.sleep(0.02)
    return rooms[0].name

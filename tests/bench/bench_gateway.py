"""Measure what the gateway adds: `python -m tests.bench.bench_gateway [--gateway PROGRAM]`.

Real Redis, livekit-server and livekit-sip on loopback; a phone on the one side, a participant that
reads and writes the room's sound on the other, no models. Bursts of a tone tell how late sound is
each way, a long tone tells where pieces of it are missing; idle, and with both cores busy. Another
program, as one without our patches, is measured in the same run for comparison.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from livekit import rtc

from tests import servers
from tests.bench import machine
from tests.bench.bench_calls import show, spread
from tests.calls.hearing import tone
from tests.calls.test_busy import busy_cores
from tests.servers import Servers
from tests.unit.agent.scripted import dialling, enter
from voicestack.phone import Call, audio

NUMBER = "+15550179"
TONE_HZ, LOUD = 1000, 1000
BURSTS, BURST_S, PAUSE_S = 20, 0.2, 0.4
LONG_S = 20.0
WITHIN_S = 5.0
EAR_HZ, MOUTH_HZ = 16_000, 24_000
TICK_S = 0.01
FRAME = 160  # samples of a phone's packet: 20 ms


@dataclass
class Participant:
    """Hears the phone's track and says what is put into `to_say`, 10 ms at a time."""

    room: rtc.Room
    heard_at: asyncio.Queue[float] = field(default_factory=asyncio.Queue)
    said_at: float = 0.0
    to_say: list[bytes] = field(default_factory=list)

    async def hear(self, track: rtc.RemoteAudioTrack) -> None:
        """Note when a burst is heard that follows silence."""
        loud = False
        stream = rtc.AudioStream.from_track(track=track, sample_rate=EAR_HZ, frame_size_ms=20)
        async for event in stream:
            before, loud = loud, np.abs(np.frombuffer(event.frame.data, np.int16)).max() > LOUD
            if loud and not before:
                self.heard_at.put_nowait(time.monotonic())

    async def speak(self, source: rtc.AudioSource) -> None:
        """Send without a queue: what is said now leaves now."""
        silence = bytes(2 * int(MOUTH_HZ * TICK_S))
        due = time.monotonic()
        while True:
            data = self.to_say.pop(0) if self.to_say else silence
            await source.capture_frame(rtc.AudioFrame(data, MOUTH_HZ, 1, len(data) // 2))
            due += TICK_S
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def say(self) -> None:
        """Put a burst into the mouth."""
        self.to_say += pieces(BURST_S)
        self.said_at = time.monotonic()

    async def say_at_length(self) -> None:
        """Say a long tone on a track of its own, with the queue that RoomIO has."""
        source = rtc.AudioSource(MOUTH_HZ, 1, queue_size_ms=200)
        track = rtc.LocalAudioTrack.create_audio_track("long", source)
        await self.room.local_participant.publish_track(track)
        self.said_at = time.monotonic()
        for data in pieces(LONG_S):
            await source.capture_frame(rtc.AudioFrame(data, MOUTH_HZ, 1, len(data) // 2))


def pieces(seconds: float) -> list[bytes]:
    """A tone, 10 ms each."""
    times = np.arange(int(seconds * MOUTH_HZ)) / MOUTH_HZ
    wave = np.round(8000 * np.sin(2 * np.pi * TONE_HZ * times)).astype(np.int16)
    return [piece.tobytes() for piece in wave.reshape(-1, int(MOUTH_HZ * TICK_S))]


@contextlib.asynccontextmanager
async def participant(running: Servers, room: str) -> AsyncIterator[Participant]:
    """One in the room, as an agent is."""
    made = rtc.Room()
    one = Participant(made)
    tasks = []

    @made.on("track_subscribed")
    def _(track: rtc.Track, *_: Any) -> None:
        if isinstance(track, rtc.RemoteAudioTrack):
            tasks.append(asyncio.create_task(one.hear(track)))

    await enter(made, running, room)
    source = rtc.AudioSource(MOUTH_HZ, 1, queue_size_ms=0)
    await made.local_participant.publish_track(
        rtc.LocalAudioTrack.create_audio_track("voice", source)
    )
    tasks.append(asyncio.create_task(one.speak(source)))
    try:
        yield one
    finally:
        for task in tasks:
            task.cancel()
        await made.disconnect()


@contextlib.asynccontextmanager
async def call(running: Servers) -> AsyncIterator[tuple[Call, Participant]]:
    """A phone and a participant who hear each other."""
    async with (
        dialling(running, NUMBER) as (room, ringing),
        participant(running, room) as one,
        await ringing as up,
    ):
        # Until both have heard the other once: connections are made, clocks settle.
        one.say()
        await up.listen(timeout_s=WITHIN_S)
        while one.heard_at.empty():
            await up.say(tone(TONE_HZ, BURST_S))
            await asyncio.sleep(PAUSE_S)
        yield up, one


async def ways_in(up: Call, one: Participant) -> list[float]:
    """Milliseconds from the phone's first loud packet to the participant's first loud frame."""
    delays = []
    for _ in range(BURSTS):
        await asyncio.sleep(PAUSE_S)
        while not one.heard_at.empty():
            one.heard_at.get_nowait()
        said = await up.say(tone(TONE_HZ, BURST_S))
        async with asyncio.timeout(WITHIN_S):
            delays.append(1000 * (await one.heard_at.get() - said.speech_started_at))
    return delays


async def ways_out(up: Call, one: Participant) -> list[float]:
    """Milliseconds from the participant's first loud sample to the phone's first loud packet."""
    delays = []
    for _ in range(BURSTS):
        await asyncio.sleep(PAUSE_S)
        one.say()
        first = await up.first_audio(timeout_s=WITHIN_S, since=one.said_at)
        assert first is not None, "nothing was heard"
        delays.append(1000 * (first - one.said_at))
        await up.listen(timeout_s=WITHIN_S, until_quiet_s=PAUSE_S / 2)
    return delays


async def holes_ms(up: Call, one: Participant) -> int:
    """Milliseconds that are missing in a long tone at the phone."""
    await one.say_at_length()
    first = await up.first_audio(timeout_s=WITHIN_S, since=one.said_at)
    assert first is not None, "nothing was heard"
    heard = audio.heard_between(up.media.received, first + 0.1, first + LONG_S - 0.4)
    frames = heard[: len(heard) // (FRAME // 4) * (FRAME // 4)].reshape(-1, FRAME // 4)
    return int(5 * (np.abs(frames).max(axis=1) < LOUD).sum())


async def measure(running: Servers) -> dict[str, Any]:
    """All three in one call, idle and busy."""
    async with call(running) as (up, one):
        idle = await figures(up, one)
        with busy_cores():
            return {"idle": idle, "both cores busy": await figures(up, one)}


async def figures(up: Call, one: Participant) -> dict[str, Any]:
    """How late, and how whole."""
    return {
        "way_in_ms": spread(await ways_in(up, one)),
        "way_out_ms": spread(await ways_out(up, one)),
        "missing_ms_of_20_s": await holes_ms(up, one),
    }


def measure_all(programs: dict[str, Path]) -> dict[str, Any]:
    """Each program, idle and busy."""
    result: dict[str, Any] = {"machine": dataclasses.asdict(machine.look())}
    for name, program in programs.items():
        with (
            tempfile.TemporaryDirectory() as folder,
            servers.gateway(Path(folder), program=program) as running,
        ):
            measured = asyncio.run(measure(running))
            result |= {f"{name}, {how}": each for how, each in measured.items()}
    return result


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--gateway", type=Path, action="append", default=[], help="another livekit-sip to compare"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    machine.phones_do_not_wait()
    result = measure_all(
        {"ours": servers.binary("livekit-sip")} | {path.name: path for path in options.gateway}
    )
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        for name, each in result.items():
            show(name, each)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Two clients in one room: each plays a tone, each listens for the other's.

In a process of its own (`python -m voicestack.diagnosis.webrtc.tones`, JSON on stdin and stdout):
WebRTC comes with threads of its own, and a process can be ended whatever they do.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass

import numpy as np
from livekit import rtc

RATE_HZ, FRAME = 48_000, 480
LOUD = 8_000
# Far apart and no multiples of each other; resampled by a wrong rate neither becomes the other.
TONES_HZ = (600.0, 1_000.0)
# Speech codecs keep a tone within some hertz.
TOLERANCE_HZ = 25.0
WINDOW = RATE_HZ // 5
AUDIBLE = 300.0
JOIN_S, HEAR_S = 2.5, 5.0


@dataclass(frozen=True, slots=True)
class Heard:
    """How far both got: what each heard, in hertz; 0 is silence, None nothing at all."""

    joined: bool
    heard_hz: tuple[float | None, ...] = ()
    error: str = ""


async def exchange(url: str, tokens: list[str]) -> Heard:
    """Join twice, play, listen."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            clients = [await stack.enter_async_context(_client(url, token)) for token in tokens]
        except (rtc.ConnectError, TimeoutError) as error:
            return Heard(False, error=f"{type(error).__name__} {error}".strip())
        for (room, _), tone_hz in zip(clients, TONES_HZ, strict=True):
            await _play(stack, room, tone_hz)
        heard = await asyncio.gather(
            *(
                _listen(tracks, wanted)
                for (_, tracks), wanted in zip(clients, reversed(TONES_HZ), strict=True)
            )
        )
        return Heard(True, tuple(heard))


@contextlib.asynccontextmanager
async def _client(
    url: str, token: str
) -> AsyncIterator[tuple[rtc.Room, "asyncio.Queue[rtc.Track]"]]:
    room, tracks = rtc.Room(), asyncio.Queue[rtc.Track]()
    room.on("track_subscribed", lambda track, *_: tracks.put_nowait(track))
    async with asyncio.timeout(JOIN_S):
        await room.connect(url, token)
    try:
        yield room, tracks
    finally:
        await room.disconnect()


async def _play(stack: contextlib.AsyncExitStack, room: rtc.Room, tone_hz: float) -> None:
    source = rtc.AudioSource(RATE_HZ, 1, queue_size_ms=200)
    track = rtc.LocalAudioTrack.create_audio_track("tone", source)
    await room.local_participant.publish_track(track)
    playing = asyncio.create_task(_feed(source, tone_hz), name="tone")
    stack.callback(playing.cancel)


async def _feed(source: rtc.AudioSource, tone_hz: float) -> None:
    at = 0
    while True:  # capture_frame waits while its queue is full
        times = (np.arange(FRAME) + at) / RATE_HZ
        samples = (LOUD * np.sin(2 * np.pi * tone_hz * times)).astype(np.int16)
        await source.capture_frame(rtc.AudioFrame(samples.tobytes(), RATE_HZ, 1, FRAME))
        at += FRAME


async def _listen(tracks: "asyncio.Queue[rtc.Track]", wanted_hz: float) -> float | None:
    """What was heard in the end; the tone that is wanted ends the wait at once."""
    last: float | None = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(HEAR_S):
            stream = rtc.AudioStream(await tracks.get(), sample_rate=RATE_HZ, num_channels=1)
            window = np.zeros(0, np.int16)
            async for event in stream:
                window = np.append(window, np.frombuffer(event.frame.data, np.int16))
                if len(window) < WINDOW:
                    continue
                last = height_hz(window)
                window = window[:0]
                if abs(last - wanted_hz) < TOLERANCE_HZ:
                    break
    return last


def height_hz(samples: "np.typing.NDArray[np.int16]") -> float:
    """The loudest frequency, 0 for silence."""
    if float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) < AUDIBLE:
        return 0.0
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * RATE_HZ / len(samples))


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    print(json.dumps(asdict(asyncio.run(exchange(asked["url"], asked["tokens"])))))

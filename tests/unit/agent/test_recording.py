"""A recording has both sides where they were heard, and only from when it was allowed."""

import asyncio
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from livekit import rtc
from livekit.agents import io

from voice_agent.recording import Recording
from voice_agent.settings import AgentSettings

RATE_HZ = 24_000
FRAME = RATE_HZ // 50


def tone(hz: int, seconds: float) -> list[rtc.AudioFrame]:
    times = np.arange(int(RATE_HZ * seconds)) / RATE_HZ
    samples = (8000 * np.sin(2 * np.pi * hz * times)).astype(np.int16)
    return [
        rtc.AudioFrame(samples[at : at + FRAME].tobytes(), RATE_HZ, 1, FRAME)
        for at in range(0, len(samples), FRAME)
    ]


class Ear(io.AudioInput):
    """What comes from the room."""

    def __init__(self) -> None:
        super().__init__(label="room")
        self.frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()

    async def __anext__(self) -> rtc.AudioFrame:
        return await self.frames.get()


class Mouth(io.AudioOutput):
    """What goes to the room; played as soon as it is flushed."""

    def __init__(self) -> None:
        super().__init__(label="room", capabilities=io.AudioOutputCapabilities(pause=False))
        self.played_s = 0.0

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self.played_s += frame.duration

    def flush(self) -> None:
        super().flush()
        self.on_playback_finished(playback_position=self.played_s, interrupted=False)
        self.played_s = 0.0

    def clear_buffer(self) -> None:
        """Nothing waits."""


class Job:
    """A job's room and its end."""

    def __init__(self) -> None:
        self.room = type("Room", (), {"name": "call-x"})
        self.at_end: list[Any] = []

    def add_shutdown_callback(self, act: Any) -> None:
        self.at_end.append(act)


class Session:
    def __init__(self) -> None:
        self.input = type("Input", (), {"audio": Ear()})
        self.output = type("Output", (), {"audio": Mouth()})
        self.ear = self.input.audio


async def hear(session: Session, frames: list[rtc.AudioFrame]) -> None:
    for frame in frames:
        session.ear.frames.put_nowait(frame)
        await anext(session.input.audio)


async def speak(session: Session, frames: list[rtc.AudioFrame]) -> None:
    for frame in frames:
        await session.output.audio.capture_frame(frame)
    session.output.audio.flush()


def loudest_hz(samples: Any, rate_hz: int) -> int:
    spectrum = np.abs(np.fft.rfft(samples))
    return round(float(np.argmax(spectrum)) * rate_hz / len(samples))


async def test_caller_left_agent_right(agent_settings: AgentSettings, tmp_path: Path) -> None:
    """What was said before it was allowed is in no file."""
    job, session = Job(), Session()
    recording = Recording(job, session, agent_settings)  # type: ignore[arg-type]
    await hear(session, tone(3000, 0.2))
    await speak(session, tone(3000, 0.2))
    assert not (tmp_path / "recordings").exists()
    await recording.start()
    await asyncio.sleep(1.2)  # the file has the length of real time
    await hear(session, tone(440, 0.5))
    await speak(session, tone(1000, 0.5))
    for act in job.at_end:
        await act()
    (file,) = (tmp_path / "recordings").glob("*-call-x.ogg")
    assert file.stat().st_mode & 0o777 == 0o600
    with av.open(file) as container:
        rate_hz = container.streams.audio[0].rate
        left, right = np.concatenate(
            [each.to_ndarray() for each in container.decode(audio=0)], axis=1
        )
    assert abs(loudest_hz(left, rate_hz) - 440) < 30
    assert abs(loudest_hz(right, rate_hz) - 1000) < 30


async def test_a_full_disk_costs_no_call(
    agent_settings: AgentSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not recorded, said in the log, and the sound goes on."""
    (tmp_path / "recordings").write_text("a file where the folder should be")
    job, session = Job(), Session()
    await Recording(job, session, agent_settings).start()  # type: ignore[arg-type]
    await hear(session, tone(440, 0.1))
    assert "call is not recorded" in caplog.text
    for act in job.at_end:
        await act()

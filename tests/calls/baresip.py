"""baresip as a softphone of a test: its own configuration, driven over its control connection."""

import asyncio
import contextlib
import json
import re
import socket
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from tests.calls.world import ROOT
from tests.speech import RATE_HZ, Utterance
from voicestack.phone.wire import g711

START_S = 40.0
EVENT_S = 60.0
WAV_HEADER_BYTES = 44
# The greeting is over, or nearly: agents can be interrupted.
AFTER_S = 4.0
# Who is not answered asks again: on a busy machine the agent may come after the first question.
AGAIN_S = 12.0


def documented(title: str) -> str:
    """A configuration file of docs/softphone.md."""
    text = (ROOT / "docs/softphone.md").read_text()
    found = re.search(rf"```text title={title}\n(.*?)```", text, re.DOTALL)
    assert found is not None, title
    return found[1]


def question(utterance: Utterance | None, to: Path, times: int = 1) -> None:
    """A recording as baresip's file source wants it: the codec's rate, the speech after a while."""
    spoken = utterance.samples() if utterance else np.zeros(RATE_HZ, np.int16)
    narrow = soxr.resample(spoken, RATE_HZ, g711.RATE_HZ)
    before, again, after = (
        np.zeros(round(s * g711.RATE_HZ), np.int16) for s in (AFTER_S, AGAIN_S, 60)
    )
    with wave.open(str(to), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(g711.RATE_HZ)
        more = [again, narrow] * (times - 1)
        file.writeframes(np.concatenate([before, narrow, *more, after]).tobytes())


@dataclass
class Baresip:
    """A softphone that runs."""

    folder: Path
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def event(self, *kinds: str) -> dict[str, Any]:
        """The next event of one of these kinds."""
        async with asyncio.timeout(EVENT_S):
            while True:
                message = await self._next()
                if message.get("event") and message.get("type") in kinds:
                    return message

    async def registered(self) -> None:
        """Wait until the server has taken it: the event may have come before we listened."""
        async with asyncio.timeout(EVENT_S):
            while True:
                await self.command("reginfo")
                while "response" not in (answer := await self._next()):
                    pass
                if "OK" in str(answer.get("data")):
                    return
                await asyncio.sleep(0.1)

    async def command(self, name: str, parameters: str = "") -> None:
        """Tell it to do something; events tell what came of it."""
        text = json.dumps({"command": name, "params": parameters, "token": "t"})
        self.writer.write(f"{len(text)}:{text},".encode())
        await self.writer.drain()

    async def _next(self) -> dict[str, Any]:
        size = await self.reader.readuntil(b":")
        message: dict[str, Any] = json.loads(await self.reader.readexactly(int(size[:-1])))
        await self.reader.readexactly(1)
        return message

    def heard(self) -> npt.NDArray[np.int16]:
        """All that was recorded of the other side, newest call only."""
        dumps = self.folder.glob("dump-*-dec.wav")
        newest = max(dumps, key=lambda path: path.stat().st_mtime, default=None)
        # The header is written when the call ends; the sound is there all the same.
        data = newest.read_bytes()[WAV_HEADER_BYTES:] if newest else b""
        return np.frombuffer(data[: len(data) // 2 * 2], np.int16)


@contextlib.asynccontextmanager
async def running(
    folder: Path,
    accounts: str,
    utterance: Utterance | None,
    *,
    address: str = "127.0.0.1",
    more: str = "",
    times: int = 1,
) -> AsyncIterator[Baresip]:
    """baresip as docs/softphone.md configures it, with files for a microphone and for ears."""
    folder.mkdir()
    question(utterance, folder / "question.wav", times)
    control = _free_port()
    config = documented("config").replace("module alsa.so", "module aufile.so\nmodule sndfile.so")
    config = re.sub(r"^audio_\w+ .*\n", "", config, flags=re.MULTILINE)
    config += (
        f"audio_source aufile,{folder}/question.wav\n"
        "ausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\n"
        f"snd_path {folder}\nsip_listen {address}:0\n"
        f"module_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:{control}\n"
    )
    (folder / "config").write_text(config + more)
    (folder / "accounts").write_text(accounts)
    (folder / "contacts").touch()
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "baresip", "-f", str(folder), "-s", stdin=asyncio.subprocess.DEVNULL,
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        reader, writer = await _connected(control)
        yield Baresip(folder, reader, writer)
        writer.close()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(START_S):
        while True:
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.05)  # no event tells when another process listens


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])

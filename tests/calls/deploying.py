"""What tests of deploys need: versions of the agent, held calls, callers that keep coming."""

import asyncio
import contextlib
import itertools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.calls import world
from voicestack.diagnosis import logs
from voicestack.native.up import Stack
from voicestack.office import Office
from voicestack.phone import Call, Phone

# The promise is PROMISED_S, and what was seen is printed. On a machine that does something else as
# well some may wait longer, and the phones themselves for a core.
PROMISED_S, ANSWERED_S, PATIENCE_S = 2.0, 10.0, 45.0
PAUSE_S = 0.4
LIMIT_S = 240.0
CALLERS = itertools.count(1000)
BODY_OF_MAKE = "    return Receptionist(settings)"
QUICK = ("--greeting-only", "--watch-s", "2")


def settings(folder: Path, models: str) -> dict[str, str]:
    """A stack whose mind and voice are fakes: two cores carry five calls, and a worker that starts.

    Nobody speaks in a held call, and it must not be ended for its silence.
    """
    more = {"LLM_URL": models, "TTS_URL": models, "MAX_CALLS": "8", "SILENCE_S": "600"}
    return world.environment(folder, **more, DRAIN_S="20")


def failing_version(folder: Path) -> Path:
    """A version that registers, and has no agent for any call."""
    return version(folder, BODY_OF_MAKE, f"    raise ValueError\n{BODY_OF_MAKE}")


def version(folder: Path, old: str = "", new: str = "") -> Path:
    """A checkout with another version of the agent: one text of the receptionist replaced."""
    for part in ("agent", "requirements"):
        shutil.copytree(
            world.ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", ".*")
        )
    file = folder / "agent/voice_agent/agents/receptionist.py"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1) + f"\n# {folder.name}\n")
    return folder


@dataclass
class Command:
    """`deploy_agent.py` as it runs; what it tells is read as it comes."""

    process: asyncio.subprocess.Process
    told: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False

    async def read(self) -> None:
        """Take its progress until it ends."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.told.append(line.decode().rstrip())
            self.news.set()
        self.over = True
        self.news.set()

    async def until(self, text: str, *, timeout_s: float = LIMIT_S) -> None:
        """Wait for something to be told."""
        async with asyncio.timeout(timeout_s):
            while not any(text in line for line in self.told):
                assert not self.over, self.told
                self.news.clear()
                await self.news.wait()

    async def ended(self, code: int, *, timeout_s: float = LIMIT_S) -> dict[str, Any]:
        """What it says at its end."""
        assert self.process.stdout is not None
        async with asyncio.timeout(timeout_s):
            said = (await self.process.stdout.read()).decode()
            assert await self.process.wait() == code, (said, self.told)
        return dict(json.loads(said)) if said else {}


@contextlib.asynccontextmanager
async def deploying(environ: Mapping[str, str], *arguments: str) -> AsyncIterator[Command]:
    """Run it; dead at the end whatever happens."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(world.ROOT / "scripts/deploy_agent.py"), *arguments, "--json",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(environ),
        cwd=Path(environ["LINES_FILE"]).parent,
    )  # fmt: skip
    command = Command(process)
    reading = asyncio.create_task(command.read())
    try:
        yield command
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await reading


@contextlib.asynccontextmanager
async def calls_up(stack: Stack, count: int) -> AsyncIterator[list[Call]]:
    """So many calls that were greeted and go on."""
    async with contextlib.AsyncExitStack() as phones:
        calls = []
        for _ in range(count):
            phone = await phones.enter_async_context(Phone(user=f"+1510555{next(CALLERS)}"))
            call = await phone.dial(
                world.NUMBER, server=world.server(stack), ring_timeout_s=PATIENCE_S
            )
            assert (await call.listen(timeout_s=PATIENCE_S)).first_audio_at is not None
            calls.append(call)
        yield calls
        for call in calls:
            if not call.ended.is_set():
                await call.hang_up()


async def moved(
    stack: Stack, command: Command, calls: list[Call], what: str, late: float = 1.0
) -> dict[str, Any]:
    """New callers until the calls have moved; those that were up are all there, and hang up."""
    async with new_callers(stack, what, late):
        await command.until("new calls go to")
        await command.until(f"{len(calls)} calls left")
    assert not any(call.ended.is_set() for call in calls)
    for call in calls:
        await call.hang_up()
    return await command.ended(0)


@dataclass
class Stream:
    """Callers, one after the other: how long each waited, and whether he was greeted."""

    waited_s: list[float] = field(default_factory=list)
    unheard: int = 0
    failed: list[str] = field(default_factory=list)

    async def run(self, stack: Stack) -> None:
        """Call until cancelled."""
        while True:
            async with Phone(user=f"+1510555{next(CALLERS)}") as phone:
                started_s = time.monotonic()
                try:
                    call = await phone.dial(
                        world.NUMBER, server=world.server(stack), ring_timeout_s=PATIENCE_S
                    )
                except Exception as error:
                    self.failed.append(repr(error))
                    continue
                self.waited_s.append(time.monotonic() - started_s)
                async with call:
                    heard = await call.first_audio(timeout_s=PATIENCE_S)
                    self.unheard += heard is None
            await asyncio.sleep(PAUSE_S)

    def judged(self, what: str, at_gateway_s: list[float], late: float) -> None:
        """Every caller was answered and greeted, and no more than this share of them late.

        The phones share a busy process with the fake models; the gateway has its own clock.
        """
        worst, count = max(self.waited_s, default=0.0), len(self.waited_s)
        over = sum(each > PROMISED_S for each in at_gateway_s)
        print(
            f"{what}: {count} new calls, slowest answer {worst:.2f} s as the phone sees it,"
            f" {max(at_gateway_s, default=0.0):.2f} s at the gateway ({over} over 2 s)"
        )
        assert count > 0
        assert not self.failed
        assert not self.unheard
        assert max(at_gateway_s) < ANSWERED_S
        assert over <= late * count, at_gateway_s


@contextlib.asynccontextmanager
async def new_callers(stack: Stack, what: str, late: float = 1.0) -> AsyncIterator[Stream]:
    """They come for as long as the block lasts; of them `late` is the share that may wait."""
    stream, since_s = Stream(), time.time()
    task = asyncio.create_task(stream.run(stack))
    try:
        yield stream
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    stream.judged(what, answers_s(stack, since_s), late)


def answers_s(stack: Stack, since_s: float) -> list[float]:
    """From INVITE to 200, by the log of livekit-sip."""
    invited: dict[str, float] = {}
    waited = []
    for line in logs.read(stack.paths.logs / "sip.log"):
        call, at_s = str(line.get("sipCallID")), float(line.get("ts", 0))
        if line.get("msg") == "processing invite" and at_s >= since_s:
            invited[call] = at_s
        elif line.get("msg") == "Accepting the call" and call in invited:
            waited.append(at_s - invited[call])
    return waited


async def version_of_next_call(stack: Stack, office: Office) -> str:
    """Which version answers now, by the record of a call."""
    since_s = time.time()
    async with calls_up(stack, 1), asyncio.timeout(LIMIT_S):
        while True:
            newest = (await office.control("/calls?limit=1"))["calls"][0]
            if newest["started_at"] >= since_s and newest["version"]:
                return str(newest["version"])
            await asyncio.sleep(0.1)


async def on_duty(office: Office) -> list[dict[str, Any]]:
    """Living workers that take new calls."""
    workers = (await office.control("/workers"))["workers"]
    return [each for each in workers if each["alive"] and each["on_duty"]]


async def told(environ: Mapping[str, str], name: str, *arguments: str) -> dict[str, Any]:
    """What another script says with --json."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(world.ROOT / f"scripts/{name}.py"), *arguments, "--json",
        stdout=subprocess.PIPE, env=dict(environ), cwd=Path(environ["LINES_FILE"]).parent,
    )  # fmt: skip
    said, _ = await process.communicate()
    return dict(json.loads(said))

"""Start, stop and look at the worker of a slot; the native runtime by its supervisor."""

import asyncio
import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import psutil

from voicestack.deploy import releases
from voicestack.native.supervisor import NativeError, Supervisor
from voicestack.native.up import Stack

# The imports of a new worker take a core for seconds: calls that are up go before them, and it goes
# on a par with the rest of the machine. Lower, a compiler would keep it from ever being ready.
STARTING_NICE = 0
# As voicestack/native/services.py starts it.
AT_WORK_NICE = -10
PID_TRIES = 40
# On a busy machine it may fail to answer once; that is no reason to take a worker away.
LOOKS = 4


@dataclass(frozen=True, slots=True)
class Look:
    """A slot as the supervisor shows it."""

    running: bool
    ready: bool  # registered with livekit-server
    life: str  # another one: it ended and was started again


class Runtime(Protocol):
    """What runs the workers."""

    def place(self, slot: str, placed: Mapping[str, str]) -> None:
        """Let a slot have its release from its next start on; `placed` names that of each slot."""

    async def start(self, slot: str) -> None:
        """Start the release that the slot has."""

    async def promote(self, slot: str) -> None:
        """Let it compute as a worker that has calls."""

    async def switch(self, slot: str) -> None:
        """Tell both workers whose new calls are, where the state alone does not."""

    async def stop(self, slot: str) -> None:
        """Let its worker end, and wait until it has."""

    async def look(self, slot: str) -> Look:
        """How its worker is."""

    async def alive(self) -> bool:
        """Whether there is a stack at all."""


def renice(pid: int, nice: int) -> None:
    """Set the priority of a process and of all that it has started."""
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(pid)
        for process in (family, *family.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                process.nice(nice)


class Native:
    """process-compose, asked through its socket."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def place(self, slot: str, placed: Mapping[str, str]) -> None:
        """Link the release."""
        releases.place(self._stack.paths, slot, placed[slot])

    async def switch(self, slot: str) -> None:
        """Nothing: the state and the file of the workers are written together."""

    async def start(self, slot: str) -> None:
        """Start it; the probe looks for a mark of this life, not of the one before."""
        self._stack.mark(slot).unlink(missing_ok=True)
        with Supervisor(self._stack.paths) as supervisor:
            await asyncio.to_thread(supervisor.start_service, slot)
        await self._renice(slot, STARTING_NICE)

    async def promote(self, slot: str) -> None:
        """As high as the other; only root's workers were put lower."""
        await self._renice(slot, AT_WORK_NICE)

    async def _renice(self, slot: str, nice: int) -> None:
        if os.geteuid() != 0:
            return  # nobody else could take it back
        for _ in range(PID_TRIES):
            pid = int((await self.look(slot)).life)
            if pid:
                await asyncio.to_thread(renice, pid, nice)
                return
            await asyncio.sleep(0.05)

    async def stop(self, slot: str) -> None:
        """SIGTERM, and after DRAIN_S and a moment SIGKILL."""
        with Supervisor(self._stack.paths) as supervisor:
            await asyncio.to_thread(supervisor.stop_service, slot, self._stack.stop_s)
        self._stack.mark(slot).unlink(missing_ok=True)

    async def look(self, slot: str) -> Look:
        """The supervisor's word."""
        for tries_left in reversed(range(LOOKS)):
            with Supervisor(self._stack.paths) as supervisor:
                state = await asyncio.to_thread(supervisor.state, slot)
            if state:
                running = state.status == "Running"
                return Look(running, running and state.ready, str(state.pid))
            if tries_left:
                await asyncio.sleep(1.0)
        if not await self.alive():
            raise NativeError("the supervisor does not answer", hint="is the stack up? `make up`")
        raise NativeError(
            f"this stack has no {slot}: it was started by a version that could not deploy",
            hint="once: make down && make up",
        )

    async def alive(self) -> bool:
        """Whether the supervisor answers."""
        with Supervisor(self._stack.paths) as supervisor:
            return await asyncio.to_thread(supervisor.alive)

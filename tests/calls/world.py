"""A whole stack of its own for tests: free ports, own state, loopback only."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
from livekit import api

from voicestack import ports, settings
from voicestack.native.supervisor import Supervisor
from voicestack.native.up import Stack
from voicestack.office import Office

ROOT = Path(__file__).resolve().parents[2]

# All calls of tests are from one number, and a hang-up may be on its way: no limit of callers.
LINES = """\
version: 1
lines:
  - number: "+15550100"
    agent: receptionist
    calls_per_caller: 20
    callers:
      from: [this-machine]
    room: call-
  - number: "+15550101"
    agent: receptionist
    calls_per_caller: 20
    callers:
      from: [127.0.0.5/32]
    room: call-
  - number: "+15550102"
    agent: receptionist
    calls_per_caller: 20
    callers:
      digest: {{user: desk, password_file: {password}}}
    room: call-
"""
DIGEST_PASSWORD = "a-test-password-of-thirty-two-chars"
NUMBER, CLOSED_NUMBER, DIGEST_NUMBER, UNKNOWN_NUMBER = (f"+155501{n:02}" for n in (0, 1, 2, 99))


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Settings of a test stack; the developer's own .env and shell stay out of it."""
    password = folder / "desk-password"
    password.write_text(DIGEST_PASSWORD)
    password.chmod(0o600)
    lines = folder / "lines.yaml"
    lines.write_text(LINES.format(password=password))
    cache = (
        {"VOICESTACK_CACHE": os.environ["VOICESTACK_CACHE"]}
        if "VOICESTACK_CACHE" in os.environ
        else {}
    )
    return {
        "STACK_PORT_BASE": str(ports.free_base()),
        "LISTEN": "loopback",
        "STATE_DIR": str(folder / "state"),
        "LINES_FILE": str(lines),
        "BUSINESS_NAME": "Harbor Dental",
        "DRAIN_S": "5",
        **cache,
        **more,
    }


@contextlib.contextmanager
def prepared(folder: Path, **more: str) -> Iterator[Stack]:
    """A stack that may be changed before it is brought up; down at the end whatever happens."""
    with of(environment(folder, **more)) as stack:
        yield stack


@contextlib.contextmanager
def of(environ: Mapping[str, str]) -> Iterator[Stack]:
    """The stack of these settings, not brought up; down at the end whatever happens."""
    stack = Stack(settings.load(Path(environ["LINES_FILE"]).parent, environ=environ), ROOT)
    try:
        yield stack
    finally:
        stack.down(now=True)


@contextlib.contextmanager
def running(folder: Path, **more: str) -> Iterator[Stack]:
    """A stack that answers; its logs stay in `folder`."""
    with prepared(folder, **more) as stack:
        stack.up(lambda _: None)
        yield stack


async def no_rooms(office: Office) -> None:
    """End what earlier tests left, and wait until it is gone."""
    async with asyncio.timeout(60), office.livekit() as client:
        while rooms := (await client.room.list_rooms(api.ListRoomsRequest())).rooms:
            for room in rooms:
                with contextlib.suppress(api.ServerError):  # it has just ended by itself
                    await client.room.delete_room(api.DeleteRoomRequest(room=room.name))
            await asyncio.sleep(0.1)


def server(stack: Stack) -> tuple[str, int]:
    """Where phones call."""
    return ("127.0.0.1", stack.ports["sip"])


def log_text(stack: Stack, service: str) -> str:
    """Everything that a service has written."""
    return (stack.paths.logs / f"{service}.log").read_text(errors="replace")


def agent_pid(stack: Stack) -> int:
    """The worker."""
    with Supervisor(stack.paths) as supervisor:
        return next(state.pid for state in supervisor.states() if state.name == "agent")


def job_pid(stack: Stack) -> int:
    """The process that works at the one call there is: the one that holds a UDP socket."""
    for process in psutil.Process(agent_pid(stack)).children(recursive=True):
        if any(each.type == socket.SOCK_DGRAM for each in process.net_connections("inet")):
            return process.pid
    raise AssertionError("no job process")

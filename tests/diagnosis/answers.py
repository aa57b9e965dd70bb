"""Faults of whoever answers a call: the job's code, its process, a gateway that is not ours."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator

from livekit import api

from tests.diagnosis import faults, gateway
from tests.diagnosis.patient import Patient
from voicestack.diagnosis import logs
from voicestack.phone import Faults, Phone

# An agent whose code has an error that shows only in a call.
BROKEN = """
def greeting(settings):
    return "Hello."

def make(settings):
    raise RuntimeError("no price list")
"""


@contextlib.asynccontextmanager
async def agent_raises(patient: Patient) -> AsyncIterator[None]:
    """The line's agent is there, and each of its jobs ends with an exception."""
    release = patient.stack.paths.slot("agent").resolve()
    module = release / "agent/voice_agent/agents/broken.py"
    module.write_text(BROKEN)
    try:
        async with faults.line_asks_for("agent: broken")(patient):
            yield
    finally:
        module.unlink()


@contextlib.asynccontextmanager
async def process_frozen(patient: Patient) -> AsyncIterator[None]:
    """The process that waits for the next job takes it and does nothing more."""
    pid = idle_pid(patient)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        # livekit-server may take 20 s to notice that an unanswered caller has left.
        await no_rooms(patient)
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(60):
            while idle_pid(patient) == pid or await patient.codes(faults.WORKER):
                await asyncio.sleep(0.3)


async def no_rooms(patient: Patient) -> None:
    async with faults.client(patient) as livekit:
        for name in await gateway.rooms_of_calls(patient):
            with contextlib.suppress(api.ServerError):
                await livekit.room.delete_room(api.DeleteRoomRequest(room=name))


def idle_pid(patient: Patient) -> int:
    """The newest process of the worker: one waits at a time, where there is one line."""
    lines = logs.read(patient.stack.paths.logs / "agent.log")
    return int([x["pid"] for x in lines if x.get("message") == "process initialized"][-1])


@contextlib.asynccontextmanager
async def silent_agent(patient: Patient) -> AsyncIterator[None]:
    """An agent comes into the room, and no sound of it."""
    async with process_frozen(patient), gateway.second_agent(patient):
        yield


@contextlib.asynccontextmanager
async def announces_elsewhere(patient: Patient) -> AsyncIterator[None]:
    """What has the gateway's port names another machine for audio, as one behind NAT does.

    livekit-sip itself, told so, would miss our BYE and wait for the call's end when it is stopped.
    """
    odd = Faults(sdp_address="127.0.0.9")

    async def answer(phone: Phone) -> None:
        while True:
            (await phone.incoming_call()).accept()

    async with (
        faults.stopped("sip")(patient),
        Phone(port=patient.stack.ports["sip"], takes_calls=True, faults=odd) as phone,
    ):
        answering = asyncio.create_task(answer(phone))
        try:
            yield
        finally:
            answering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await answering

"""Calls that go wrong in a known way, to be found in the logs afterwards."""

import asyncio
import contextlib
from collections.abc import Callable

from tests.calls import world
from tests.diagnosis import models
from tests.diagnosis.patient import Patient
from voicestack.phone import Credentials, Faults, Phone, PhoneError

# A call that livekit-sip says nothing to is given up; others ring until it has answered or dropped.
SILENT_S, RING_S = 3.0, 10.0
SILENT = (world.UNKNOWN_NUMBER, world.CLOSED_NUMBER)


def _unknown_payload_type(packet: bytes) -> bytes:
    """RFC 3550 5.1: the low seven bits of the second byte; 77 was never agreed."""
    return packet[:1] + bytes([77]) + packet[2:]


PHONES: dict[str, Callable[[], Phone]] = {
    "plain": Phone,
    "wrong password": lambda: Phone(credentials=Credentials("desk", "x" * 30)),
    "G.729 only": lambda: Phone(faults=Faults(formats=((18, "G729/8000"),))),
    "private address": lambda: Phone(faults=Faults(sdp_address="192.168.77.1")),
    "unknown payload": lambda: Phone(faults=Faults(mangle_rtp=_unknown_payload_type)),
}


async def place(patient: Patient, number: str, kind: str, *, ask: bool = False) -> None:
    """Call, hear a little, ask if told so, hang up, and wait until the gateway has put it away."""
    log = "SIP call ended"
    before = world.log_text(patient.stack, "sip").count(log)
    reached = True
    async with PHONES[kind]() as phone:
        server = world.server(patient.stack)
        try:
            ring_s = SILENT_S if number in SILENT else RING_S
            async with await phone.dial(number, server=server, ring_timeout_s=ring_s) as call:
                await call.listen(timeout_s=1.5, longest_s=5, until_quiet_s=0.8)
                if ask:
                    await call.say(models.speech(), rate_hz=models.RATE_HZ)
                    await call.listen(timeout_s=10)
        except PhoneError as error:
            reached = getattr(error, "status", 0) not in {401, 407}
    if reached:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                while world.log_text(patient.stack, "sip").count(log) == before:
                    await asyncio.sleep(0.05)


async def good(patient: Patient) -> None:
    """A call that is greeted, asks and is answered."""
    await place(patient, world.NUMBER, "plain", ask=True)
    async with asyncio.timeout(30):  # the worker writes of the turn when it is over
        while '"turn done"' not in _of_the_newest(patient):
            await asyncio.sleep(0.1)


def _of_the_newest(patient: Patient) -> str:
    """What the worker has written since it answered last."""
    return world.log_text(patient.stack, "agent").rpartition('"call answered"')[2]

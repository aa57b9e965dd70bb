"""A SIP telephone for first calls, tests and measurements.

async with Phone() as phone, await phone.dial("+15550100", server=("127.0.0.1", 5060)) as call:
    said = await call.say(Path("question.wav"))
    reply = await call.listen()
    print(reply.latency_ms(said))
"""

from voicestack.phone.call import Call, Heard, Said, Timing
from voicestack.phone.errors import (
    CallEnded,
    CallFailedError,
    CallRefused,
    MalformedError,
    NoAnswer,
    PhoneError,
)
from voicestack.phone.faults import Faults
from voicestack.phone.incoming import IncomingCall
from voicestack.phone.phone import Phone
from voicestack.phone.transaction import Timers
from voicestack.phone.wire.digest import Credentials

__all__ = [
    "Call",
    "CallEnded",
    "CallFailedError",
    "CallRefused",
    "Credentials",
    "Faults",
    "Heard",
    "IncomingCall",
    "MalformedError",
    "NoAnswer",
    "Phone",
    "PhoneError",
    "Said",
    "Timers",
    "Timing",
]

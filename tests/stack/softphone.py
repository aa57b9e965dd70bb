"""A softphone of the distribution on the other host, which registers with user and password.

`python -m tests.stack.softphone REGISTRAR OWN_ADDRESS QUESTION FOLDER`, the password on stdin. It
calls the agent and asks until there is a line on stdin; then it waits to be called, and hears who
calls. Prints "registered", "heard", "waits" and "called" as it goes.
"""

import asyncio
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests import speech
from tests.calls import baresip
from tests.calls.baresip import AFTER_S, Baresip
from tests.stack.caller import NUMBER
from voicestack.phone.wire.g711 import RATE_HZ

WINDOW_S, LOUD = 0.1, 500
# "Yes" takes 0.3 s; of a sentence a busy machine may lose much.
SENTENCE_S, WITHIN_S = 0.4, 60.0
TIMES = 3


def voice_s(samples: npt.NDArray[np.int16]) -> float:
    """For how long something is heard."""
    size = round(WINDOW_S * RATE_HZ)
    whole = samples[: len(samples) // size * size].astype(np.int32).reshape(-1, size)
    return float((np.abs(whole).max(axis=1, initial=0) > LOUD).sum() * WINDOW_S)


async def heard(phone: Baresip, after_s: float) -> None:
    """Wait until the agent has said a sentence, counted from so late in the call."""
    async with asyncio.timeout(WITHIN_S):
        while voice_s(phone.heard()[round(after_s * RATE_HZ) :]) < SENTENCE_S:
            await asyncio.sleep(0.2)  # a file that grows tells nobody


async def run(registrar: str, own: str, question: str, folder: Path, password: str) -> None:
    """Register, call, be called."""
    utterance = next(each for each in speech.utterances() if each.name == question)
    account = baresip.documented("accounts").replace("ADDRESS:5080", registrar)
    account = account.replace("PASSWORD", password).replace("answermode=manual", "answermode=auto")
    async with baresip.running(folder, account, utterance, address=own, times=TIMES) as phone:
        await phone.registered()
        print("registered", flush=True)
        await phone.command("dial", NUMBER)
        await phone.event("CALL_ESTABLISHED")
        await heard(phone, AFTER_S + utterance.duration_s)
        print("heard", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await phone.command("hangup")
        await phone.event("CALL_CLOSED")
        print("waits", flush=True)
        await phone.event("CALL_ESTABLISHED")
        await heard(phone, 0)
        print("called", flush=True)
        await phone.command("hangup")
        await phone.event("CALL_CLOSED")


if __name__ == "__main__":
    to, address, clip, where = sys.argv[1:]
    asyncio.run(run(to, address, clip, Path(where), sys.stdin.readline().strip()))

"""A caller who stays on the line: `python -m tests.stack.talker SERVER OWN_ADDRESS QUESTION.wav`.

Prints "up" when the agent was heard, asks again and again until there is a line on stdin, then once
more, twice if need be, and hangs up. Exit code 0 if that was answered.
"""

import asyncio
import sys
from pathlib import Path

from tests.stack.caller import NUMBER, RING_S, SIP_PORT
from voicestack.diagnosis.legs.call import hears_speech
from voicestack.phone import Call, Phone

GREETING_S, ANSWER_S, PAUSE_S = 10.0, 30.0, 4.0
# Who was not understood asks again soon: who says nothing for 40 s is hung up on (SILENCE_S).
SOON_S = 12.0


async def talk(host: str, local_ip: str, question: Path) -> bool:
    """Call, wait, ask."""
    async with (
        Phone(local_ip=local_ip) as phone,
        await phone.dial(NUMBER, server=(host, SIP_PORT), ring_timeout_s=4 * RING_S) as call,
    ):
        if not await hears_speech(call, GREETING_S):
            return False
        await call.listen(timeout_s=GREETING_S, until_quiet_s=0.8, longest_s=GREETING_S)
        print("up", flush=True)
        told = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
        while not told.done():
            await ask(call, question, SOON_S)
            await asyncio.wait({told}, timeout=PAUSE_S)
        return await ask(call, question, SOON_S) or await ask(call, question, ANSWER_S)


async def ask(call: Call, question: Path, within_s: float) -> bool:
    """Whether there was an answer, which is heard out."""
    await call.say(question)
    answered = await hears_speech(call, within_s)
    await call.listen(timeout_s=1, until_quiet_s=0.8, longest_s=GREETING_S)
    return answered


if __name__ == "__main__":
    sys.exit(not asyncio.run(talk(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))

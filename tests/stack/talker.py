"""A caller who stays on the line: `python -m tests.stack.talker SERVER OWN_ADDRESS QUESTION.wav`.

Prints "up" when the agent was heard, then waits for a line on stdin, asks, waits for the answer,
hangs up. Exit code 0 if there was an answer.
"""

import asyncio
import sys
from pathlib import Path

from tests.stack.caller import NUMBER, RING_S, SIP_PORT
from voicestack.diagnosis.legs.call import hears_speech
from voicestack.phone import Phone

GREETING_S, ANSWER_S = 10.0, 30.0


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
        await asyncio.to_thread(sys.stdin.readline)
        await call.say(question)
        return await hears_speech(call, ANSWER_S)


if __name__ == "__main__":
    sys.exit(not asyncio.run(talk(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))

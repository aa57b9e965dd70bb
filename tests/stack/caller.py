"""Call again and again, as people do, until the agent is heard.

`python -m tests.stack.caller SERVER OWN_ADDRESS LIMIT_S NUMBER` runs on the other host. It prints
the seconds that it took, and exits with the reason when nobody was heard.
"""

import asyncio
import sys
import time

from voicestack.phone import Phone, PhoneError

NUMBER, SIP_PORT = "+15550100", 5060
# A call that met no agent rings on in vain: people hang up and dial again.
RING_S, GREETING_S, PAUSE_S = 4.0, 4.0, 0.5


async def heard(host: str, local_ip: str, number: str) -> str:
    """One call; empty when the agent was heard, else why not."""
    async with Phone(local_ip=local_ip) as phone:
        try:
            call = await phone.dial(number, server=(host, SIP_PORT), ring_timeout_s=RING_S)
            if await call.first_audio(timeout_s=GREETING_S) is not None:
                return ""
            return "answered, but nothing was heard"
        except PhoneError as error:
            return str(error)


async def until_answered(
    host: str, local_ip: str, limit_s: float, number: str
) -> tuple[float, str]:
    """Seconds until the agent was heard."""
    started_s = time.monotonic()
    while True:
        reason = await heard(host, local_ip, number)
        took_s = time.monotonic() - started_s
        if not reason or took_s > limit_s:
            return took_s, reason
        await asyncio.sleep(PAUSE_S)


if __name__ == "__main__":
    server, own, limit, called = sys.argv[1:]
    seconds, why = asyncio.run(until_answered(server, own, float(limit), called))
    print(f"{seconds:.1f}")
    sys.exit(why or 0)

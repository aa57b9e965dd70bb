"""Ask a relay to lead to peers, by the diagnosis' own probe; say what it answered.

Run on the far machine: `python -m tests.calls.relay_probe`, JSON on stdin and stdout.
"""

import asyncio
import json
import sys

from aioice.stun import TransactionError

from voicestack.diagnosis.webrtc import ways
from voicestack.diagnosis.webrtc.signal import Candidate

# An answer takes a millisecond.
ANSWER_S = 3.0


async def ask(relay: ways.Relayed) -> dict[str, str]:
    """Allocate once, then bind a channel to each peer."""
    client = await ways.connect(relay)
    async with ways.closing(client):
        try:
            async with asyncio.timeout(ANSWER_S):
                await client.connect()
        except (TransactionError, TimeoutError):  # whose credentials are wrong is not answered
            return {"": "refused"}
        opened = await ways.leads_to(client, relay.strangers)
    return {each: "granted" if each in opened else "refused" for each in relay.strangers}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    there = tuple(asked["server"])
    nobody = Candidate("udp", there[0], 9)
    peers = tuple(asked["peers"])
    probe = ways.Relayed(there, asked["user"], asked["password"], nobody, peers)
    print(json.dumps(asyncio.run(ask(probe))))

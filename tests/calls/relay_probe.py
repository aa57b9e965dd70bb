"""Ask a relay, with good credentials, to lead to peers; say what it answered.

Run on the far machine: `python -m tests.calls.relay_probe`, JSON on stdin and stdout.
"""

import asyncio
import json
import sys

from aioice.stun import TransactionFailed
from aioice.turn import DEFAULT_ALLOCATION_LIFETIME, TurnClientUdpProtocol

FIRST_CHANNEL = 0x4000  # RFC 8656, 12
# Any port: permissions are for addresses (RFC 8656, 9).
PEER_PORT = 9
# An answer takes a millisecond.
ANSWER_S = 3.0


async def ask(
    server: tuple[str, int], user: str, password: str, peers: list[str]
) -> dict[str, str]:
    """Allocate once, then bind a channel to each peer."""
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_datagram_endpoint(
        lambda: TurnClientUdpProtocol(
            server,
            username=user,
            password=password,
            lifetime=DEFAULT_ALLOCATION_LIFETIME,
            channel_refresh_time=DEFAULT_ALLOCATION_LIFETIME,
        ),
        remote_addr=server,
    )
    try:
        async with asyncio.timeout(ANSWER_S):
            await client.connect()
    except (TransactionFailed, TimeoutError):  # whose credentials are wrong is not answered
        transport.close()
        return {"": "refused"}
    said = {}
    for number, peer in enumerate(peers):
        try:
            await client.channel_bind(FIRST_CHANNEL + number, (peer, PEER_PORT))
            said[peer] = "granted"
        except TransactionFailed:
            said[peer] = "refused"
    await client.delete()
    return said


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    answers = ask(tuple(asked["server"]), asked["user"], asked["password"], asked["peers"])
    print(json.dumps(asyncio.run(answers)))

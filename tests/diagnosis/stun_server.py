"""A STUN server as a test wants it: `python -m tests.diagnosis.stun_server PORT [ADDRESS]`.

It tells everybody that he comes from ADDRESS; without one, whence he comes indeed. Asked for a
relay, it refuses whoever asks, with whatever password: another server's users are not its own.
"""

import asyncio
import sys

from aioice import stun

Address = tuple[str, int]
# RFC 8656 5 and RFC 8489 14.8: the user is asked for a password, and again after each.
UNAUTHORIZED = (401, "Unauthorized")


class Server(asyncio.DatagramProtocol):
    """Answers what can be read."""

    def __init__(self, told: str) -> None:
        self.told = told

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        try:
            asked = stun.parse_message(data)
        except ValueError:
            return
        if asked.message_class is stun.Class.REQUEST:
            self.transport.sendto(bytes(self.answer(asked, addr)), addr)

    def answer(self, asked: stun.Message, addr: Address) -> stun.Message:
        binding = asked.message_method is stun.Method.BINDING
        kind = stun.Class.RESPONSE if binding else stun.Class.ERROR
        answer = stun.Message(asked.message_method, kind, transaction_id=asked.transaction_id)
        if binding:
            answer.attributes["XOR-MAPPED-ADDRESS"] = (self.told or addr[0], addr[1])
        else:
            answer.attributes["ERROR-CODE"] = UNAUTHORIZED
            answer.attributes["REALM"] = "another"
            answer.attributes["NONCE"] = b"nonce"
        return answer


async def main(port: int, told: str = "") -> None:
    """Until it is killed."""
    await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Server(told), local_addr=("0.0.0.0", port)
    )
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))

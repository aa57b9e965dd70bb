"""A bad line in user space: UDP that is lost, late and uneven on its way to one place.

`python -m tests.diagnosis.impairment PORT HOST PORT LOST OF DELAY_MS JITTER_MS`: of each OF packets
on their way there the first LOST are lost. Counted, not diced: a test must not be lucky.
"""

import asyncio
import sys
from dataclasses import dataclass, field

Address = tuple[str, int]
# Sockets towards the far side take these, so that a firewall can tell them from others.
OWN_PORTS = range(9900, 9990)


@dataclass
class Line:
    """How bad it is."""

    lost: int
    of: int
    delay_s: float
    jitter_s: float
    seen: dict[str, int] = field(default_factory=dict)

    def wait_s(self, direction: str) -> float | None:
        """How late the next packet is; None if it is lost."""
        number = self.seen[direction] = self.seen.get(direction, -1) + 1
        if direction == "there" and number % self.of < self.lost:
            return None
        return self.delay_s + (self.jitter_s if number % 2 else 0.0)


class Near(asyncio.DatagramProtocol):
    """The end that clients send to; one socket towards the far side for each of them."""

    def __init__(self, line: Line, target: Address) -> None:
        self.line, self.target = line, target
        self.far: dict[Address, asyncio.Task[asyncio.DatagramTransport]] = {}

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if addr not in self.far:
            self.far[addr] = asyncio.ensure_future(self._open(addr))
        wait_s = self.line.wait_s("there")
        if wait_s is not None:
            asyncio.get_running_loop().call_later(wait_s, self._send, addr, data)

    def _send(self, addr: Address, data: bytes) -> None:
        self.far[addr].add_done_callback(lambda opened: opened.result().sendto(data))

    async def _open(self, client: Address) -> asyncio.DatagramTransport:
        near = self

        class Far(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, _: Address) -> None:
                wait_s = near.line.wait_s("back")
                if wait_s is not None:
                    loop = asyncio.get_running_loop()
                    loop.call_later(wait_s, near.transport.sendto, data, client)

        own = OWN_PORTS[len(self.far) % len(OWN_PORTS)]
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            Far, local_addr=("0.0.0.0", own), remote_addr=self.target
        )
        return transport


async def main(port: int, target: Address, line: Line) -> None:
    """Until it is killed."""
    await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Near(line, target), local_addr=("0.0.0.0", port)
    )
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    own, host, far, lost, of, delay_ms, jitter_ms = sys.argv[1:]
    bad = Line(int(lost), int(of), int(delay_ms) / 1000, int(jitter_ms) / 1000)
    asyncio.run(main(int(own), (host, int(far)), bad))

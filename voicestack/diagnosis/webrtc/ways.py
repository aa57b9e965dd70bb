"""Four ways to the media server, each with real packets: UDP, TCP, relay over UDP, over TLS.

On each way the media server itself is asked, by an ICE connectivity check (RFC 8445 7.2), and its
signed answer must come back by the same way.
"""

import asyncio
import contextlib
import secrets
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aioice import stun
from aioice.turn import DEFAULT_ALLOCATION_LIFETIME, TurnClientTcpProtocol, TurnClientUdpProtocol

from voicestack.diagnosis.webrtc.signal import Candidate, Invitation

CONNECT_S = 1.5
# Three packets: one may be lost. On one machine an answer takes a millisecond.
WAITS_S = (0.2, 0.4, 0.9)
PRIORITY = 1_845_501_695  # RFC 8445 5.1.2.1: peer reflexive, first component
FIRST_CHANNEL = 0x4000  # RFC 8656 12

Address = tuple[str, int]
TurnClient = TurnClientUdpProtocol | TurnClientTcpProtocol


@dataclass(frozen=True, slots=True)
class Way:
    """How one way ended."""

    kind: str  # udp, tcp, relay-udp, relay-tls
    failed: str = ""  # connect, tls, credentials, permission or answer; empty: it leads there
    text: str = ""
    relayed: str = ""  # the relay's end, as it says
    mapped: str = ""  # we, as the relay sees us
    open_to: tuple[str, ...] = ()  # peers that a relay should have refused


@dataclass(slots=True)
class Pipe:
    """Datagrams to and from the media server."""

    send: Callable[[bytes], Awaitable[None]]
    received: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)


async def by_udp(invitation: Invitation, to: Address) -> Way:
    """Straight to the media port."""
    protocol = _Datagrams()
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_datagram_endpoint(lambda: protocol, remote_addr=to)
    except OSError as error:  # no route
        return Way("udp", "answer", f"{_shown(to)} UDP: {error.strerror}")

    async def send(data: bytes) -> None:
        transport.sendto(data)

    try:
        answered = await _answers(Pipe(send, protocol.received), invitation)
    finally:
        transport.close()
    if answered:
        return Way("udp")
    return Way("udp", "answer", f"{_shown(to)} UDP: {protocol.error or 'no answer'}")


async def by_tcp(invitation: Invitation, to: Address) -> Way:
    """ICE over TCP (RFC 6544): each packet after its length (RFC 4571 2)."""
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(*to)
    except (OSError, TimeoutError) as error:
        return Way("tcp", "connect", f"{_shown(to)} TCP: {type(error).__name__}")

    async def send(data: bytes) -> None:
        writer.write(struct.pack("!H", len(data)) + data)

    pipe = Pipe(send)

    async def read() -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                pipe.received.put_nowait(await reader.readexactly(length))

    reading = asyncio.create_task(read(), name="ice-tcp")
    try:
        answered = await _answers(pipe, invitation)
    finally:
        reading.cancel()
        writer.close()
    text = f"{_shown(to)} TCP takes connections and answers none"
    return Way("tcp") if answered else Way("tcp", "answer", text)


@dataclass(frozen=True, slots=True)
class Relayed:
    """A relay to try: where, as whom, and what it should and should not lead to."""

    to: Address
    user: str
    password: str
    server: Candidate
    strangers: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None
    name: str = ""

    @property
    def kind(self) -> str:
        """The way's name."""
        return "relay-tls" if self.tls else "relay-udp"


async def by_relay(invitation: Invitation, relay: Relayed) -> Way:
    """Allocate and ask; where no answer comes, once more from another port of the relay.

    The server tells clients apart by their address (pion/ice, udp_mux.go): one that left a moment
    ago may have had the same port. One of 160 looks at a healthy stack was taken for a fault.
    """
    way = await _by_relay(invitation, relay)
    return await _by_relay(invitation, relay) if way.failed == "answer" else way


async def _by_relay(invitation: Invitation, relay: Relayed) -> Way:
    """Allocate, let it lead to the media server, and ask that through it."""
    try:
        client = await connect(relay)
    except ssl.SSLError as error:
        return Way(relay.kind, "tls", f"{_shown(relay.to)}: {error.reason or error}")
    except (OSError, TimeoutError) as error:
        return Way(relay.kind, "connect", f"{_shown(relay.to)} TCP: {type(error).__name__}")
    async with closing(client):
        return await _through(client, invitation, relay)


async def _through(client: TurnClient, invitation: Invitation, relay: Relayed) -> Way:
    try:
        async with asyncio.timeout(sum(WAITS_S)):
            relayed = await client.connect()
    except stun.TransactionFailed as error:
        return Way(relay.kind, "credentials", _refusal(error))
    except (TimeoutError, ConnectionError, stun.TransactionError) as error:
        # Wrong credentials are asked for and then passed over in silence (pion/turn v5).
        if client.realm:
            return Way(relay.kind, "credentials", "it takes no notice of them")
        text = f"{_shown(relay.to)} answers no TURN: {type(error).__name__}"
        return Way(relay.kind, "allocate", text)
    mapped = client.mapped_address or ("", 0)
    ends = {"relayed": relayed[0], "mapped": mapped[0]}
    opened = await leads_to(client, relay.strangers)
    peer = (relay.server.address, relay.server.port)
    pipe = Pipe(lambda data: client.send_data(data, peer))
    client.receiver = _Receiver(pipe.received)
    try:
        answered = await _answers(pipe, invitation)
    except (stun.TransactionError, TimeoutError, ConnectionError) as error:
        text = f"it does not lead to {_shown(peer)}: {_refusal(error)}"
        return Way(relay.kind, "permission", text, open_to=opened, **ends)
    text = "" if answered else f"nothing comes back from {_shown(peer)} by way of {_shown(relayed)}"
    return Way(relay.kind, "" if answered else "answer", text, open_to=opened, **ends)


async def leads_to(client: TurnClient, peers: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the peers for which the relay opens a channel; permissions know no ports."""
    opened = []
    for number, peer in enumerate(peers):
        # From the end, so that none is in the way of the channels that the client numbers itself.
        channel = 0x4FFF - number
        with contextlib.suppress(stun.TransactionError, TimeoutError):
            async with asyncio.timeout(CONNECT_S):
                await client.channel_bind(channel, (peer, 9))
                opened.append(peer)
    return tuple(opened)


async def connect(relay: Relayed) -> TurnClient:
    """A connection to a relay; nothing is asked of it yet."""
    async with asyncio.timeout(CONNECT_S):
        return await _connect(relay)


async def _connect(relay: Relayed) -> TurnClient:
    loop = asyncio.get_running_loop()

    def make(kind: Any) -> Any:
        life = DEFAULT_ALLOCATION_LIFETIME
        return lambda: kind(relay.to, relay.user, relay.password, life, life)

    if relay.tls is None:
        made = make(TurnClientUdpProtocol)
        _, udp = await loop.create_datagram_endpoint(made, remote_addr=relay.to)
        return udp  # type: ignore[no-any-return]
    _, tcp = await loop.create_connection(
        make(TurnClientTcpProtocol), *relay.to, ssl=relay.tls, server_hostname=relay.name
    )
    return tcp  # type: ignore[no-any-return]


@contextlib.asynccontextmanager
async def closing(client: TurnClient) -> AsyncIterator[None]:
    """Give the allocation back: each participant may have a dozen."""
    try:
        yield
    finally:
        client.receiver = None
        with contextlib.suppress(TimeoutError, stun.TransactionError, ConnectionError):
            async with asyncio.timeout(WAITS_S[0]):
                if client.relayed_address:
                    await client.delete()
        if client.refresh_task:
            client.refresh_task.cancel()
        client.transport.close()


async def _answers(pipe: Pipe, invitation: Invitation) -> bool:
    """Ask until the signed answer comes, or the last time was in vain."""
    request = _question(invitation)
    for wait_s in WAITS_S:
        await pipe.send(bytes(request))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while not _fits(await pipe.received.get(), request, invitation):
                    pass
                return True
    return False


def _question(invitation: Invitation) -> stun.Message:
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    request.attributes["USERNAME"] = f"{invitation.ufrag}:{invitation.own_ufrag}"
    request.attributes["PRIORITY"] = PRIORITY
    request.attributes["ICE-CONTROLLING"] = secrets.randbits(64)
    request.add_message_integrity(invitation.password.encode())
    return request


def _fits(data: bytes, request: stun.Message, invitation: Invitation) -> bool:
    """Whether this is the media server's answer: by its number and its signature."""
    try:
        message = stun.parse_message(data)
    except ValueError:
        return False
    same = message.transaction_id == request.transaction_id
    good = message.message_class == stun.Class.RESPONSE
    return same and good and message.check_message_integrity(invitation.password.encode())


def _refusal(error: BaseException) -> str:
    if isinstance(error, stun.TransactionFailed):
        code, reason = error.response.attributes.get("ERROR-CODE", ("no code", ""))
        return f"{code} {reason}".strip()
    return type(error).__name__


def _shown(address: Address) -> str:
    return f"{address[0]}:{address[1]}"


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.error = ""

    def datagram_received(self, data: bytes, _addr: Any) -> None:
        self.received.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        self.error = type(exc).__name__


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, received: "asyncio.Queue[bytes]") -> None:
        self._received = received

    def datagram_received(self, data: bytes, _addr: Any) -> None:
        self._received.put_nowait(data)

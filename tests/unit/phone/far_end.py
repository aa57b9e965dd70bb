"""A scripted far end, written without the code under test: SIP as text, RTP as bytes."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

WAIT_S = 5.0


@dataclass
class Message:
    """A message as it arrived."""

    start: str
    headers: list[tuple[str, str]]
    body: str
    source: tuple[str, int]

    def __getitem__(self, name: str) -> str:
        return self.all(name)[0]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def method(self) -> str:
        return self.start.split()[0]

    @property
    def status(self) -> int:
        return int(self.start.split()[1])


def read(data: bytes, source: tuple[str, int]) -> Message:
    head, _, body = data.decode().partition("\r\n\r\n")
    start, *lines = head.split("\r\n")
    headers = [
        (name.strip(), value.strip()) for name, _, value in (x.partition(":") for x in lines)
    ]
    return Message(start, headers, body, source)


class _Queue(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.arrived: asyncio.Queue[tuple[bytes, tuple[str, int]]] = asyncio.Queue()

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.arrived.put_nowait((data, addr))


async def _open() -> _Queue:
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_datagram_endpoint(_Queue, local_addr=("127.0.0.1", 0))
    return protocol


@dataclass
class Rtp:
    payload_type: int
    marker: bool
    seq: int
    timestamp: int
    payload: bytes


@dataclass
class FarEnd:
    """Answers only what a test tells it to."""

    tag: str = "far-tag"
    seq: int = 0
    seen: list[Message] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._sip = await _open()
        self._rtp = await _open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sip.transport.close()
        self._rtp.transport.close()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._sip.transport.get_extra_info("sockname")
        return host, port

    @property
    def rtp_port(self) -> int:
        return int(self._rtp.transport.get_extra_info("sockname")[1])

    async def next(self) -> Message:
        async with asyncio.timeout(WAIT_S):
            data, source = await self._sip.arrived.get()
        self.seen.append(read(data, source))
        return self.seen[-1]

    async def expect(self, what: str) -> Message:
        """The next message must be this method or status; repeats of earlier ones are none."""
        while True:
            message = await self.next()
            got = message.start.split()[1] if message.start.startswith("SIP/") else message.method
            if got == what or message not in self.seen[:-1]:
                break
        assert got == what, f"expected {what}, got {message.start}"
        return message

    async def skip_to(self, what: str) -> Message:
        """Ignore repeats of earlier messages until this method arrives."""
        while (message := await self.next()).method != what:
            pass
        return message

    async def waiting(self) -> set[str]:
        """Take what has arrived by now; its methods."""
        methods = set()
        while not self.nothing_waits():
            methods.add((await self.next()).method)
        return methods

    def nothing_waits(self) -> bool:
        return self._sip.arrived.empty()

    def sdp(self, *, formats: str = "0 101", direction: str = "sendrecv", port: int | None = None):
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self.rtp_port if port is None else port} RTP/AVP {formats}\r\n"
            f"a=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
        )

    def send(self, text: str | bytes, to: tuple[str, int]) -> None:
        self._sip.transport.sendto(text.encode() if isinstance(text, str) else text, to)

    def reply(
        self, request: Message, status: int, reason: str, *extra: str, body: str = ""
    ) -> None:
        self.send(self.response(request, status, reason, *extra, body=body), request.source)

    def response(
        self, request: Message, status: int, reason: str, *extra: str, body: str = ""
    ) -> str:
        to = request["To"]
        if "tag=" not in to and status > 100:
            to += f";tag={self.tag}"
        lines = [
            f"SIP/2.0 {status} {reason}",
            *(f"Via: {via}" for via in request.all("Via")),
            f"From: {request['From']}",
            f"To: {to}",
            f"Call-ID: {request['Call-ID']}",
            f"CSeq: {request['CSeq']}",
            *extra,
        ]
        return _finish(lines, body)

    def answer(self, invite: Message, *extra: str, body: str | None = None) -> None:
        """200 with our Contact and SDP."""
        contact = f"Contact: <sip:agent@127.0.0.1:{self.address[1]}>"
        body = self.sdp() if body is None else body
        self.reply(invite, 200, "OK", contact, *extra, body=body)

    def request(self, method: str, invite: Message, *extra: str, body: str = "", seq: int = 0):
        """A request inside the dialog that `invite` began."""
        self.seq += 1
        contact = invite["Contact"].strip("<>")
        lines = [
            f"{method} {contact} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.address[1]};branch=z9hG4bKfar{method}{self.seq}",
            f"From: {invite['To']};tag={self.tag}",
            f"To: {invite['From']}",
            f"Call-ID: {invite['Call-ID']}",
            f"CSeq: {seq or self.seq} {method}",
            f"Contact: <sip:agent@127.0.0.1:{self.address[1]}>",
            *extra,
        ]
        text = _finish(lines, body)
        self.send(text, invite.source)
        return text

    async def next_rtp(self) -> Rtp:
        async with asyncio.timeout(WAIT_S):
            data, self.rtp_source = await self._rtp.arrived.get()
        first, second, seq, timestamp, _ = struct.unpack("!BBHII", data[:12])
        assert first == 0x80
        return Rtp(second & 0x7F, bool(second & 0x80), seq, timestamp, data[12:])

    def send_rtp(
        self,
        payload: bytes,
        *,
        to: tuple[str, int],
        seq: int,
        timestamp: int,
        payload_type: int = 0,
        marker: bool = False,
    ) -> None:
        second = payload_type | (0x80 if marker else 0)
        header = struct.pack("!BBHII", 0x80, second, seq, timestamp, 0x1234)
        self._rtp.transport.sendto(header + payload, to)

    def forget_rtp(self) -> None:
        while not self._rtp.arrived.empty():
            self._rtp.arrived.get_nowait()


def _finish(lines: list[str], body: str) -> str:
    if body:
        lines.append("Content-Type: application/sdp")
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])


async def eventually(is_so: Callable[[], bool]) -> None:
    """Let the event loop work until it is so."""
    async with asyncio.timeout(WAIT_S):
        while not is_so():
            await asyncio.sleep(0.001)


def audio_address(message: Message) -> tuple[str, int]:
    """Where a message's SDP wants audio."""
    lines = message.body.split("\r\n")
    host = next(line for line in lines if line.startswith("c=")).split()[-1]
    port = next(line for line in lines if line.startswith("m=audio")).split()[1]
    return host, int(port)

"""Join a room as a browser does, as far as addresses and credentials; no sound yet.

The client's half of livekit-server's signalling (protocol livekit_rtc.proto): a WebSocket, an
offer of one data channel, and in return ICE credentials, the addresses to try, and the relays.
"""

import asyncio
import contextlib
import json
import secrets
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
from aioice import Candidate as Parsed
from livekit.protocol import rtc

# Answer and addresses come within 20 ms on one machine; a busy one takes longer, a far one too.
ANSWER_S = 3.0
# livekit-server 1.13.5 marks the end of its addresses for some clients only.
QUIET_S = 0.3
# What LiveKit's own clients of 2026 say (protocol 15: no single peer connection asked for).
QUERY = "protocol=15&auto_subscribe=0&sdk=python&version=1.0"


class JoinError(Exception):
    """Nobody could join; the text says what was answered."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Candidate:
    """One address that the server names."""

    protocol: str  # udp or tcp
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Relay:
    """One TURN server, with the credentials that this participant was given."""

    urls: tuple[str, ...]
    user: str
    password: str


@dataclass(slots=True)
class Invitation:
    """All that a client needs to find its way to the media server."""

    own_ufrag: str
    ufrag: str = ""
    password: str = ""
    candidates: list[Candidate] = field(default_factory=list)
    relays: list[Relay] = field(default_factory=list)

    def first(self, protocol: str) -> Candidate | None:
        """The first address of a protocol."""
        return next((each for each in self.candidates if each.protocol == protocol), None)


@dataclass(frozen=True, slots=True)
class Door:
    """Where to join. Over TLS, `name` is asked for; the connection goes to `url` all the same."""

    url: str  # ws://… or wss://…
    tls: ssl.SSLContext | None = None
    name: str = ""


@contextlib.asynccontextmanager
async def joined(door: Door, token: str) -> AsyncIterator[Invitation]:
    """Join, and stay for the length of the block: ICE answers members only."""
    timeout = aiohttp.ClientTimeout(total=None, connect=ANSWER_S)
    # In a header, not in the URL: proxies write URLs down.
    headers = {"Authorization": f"Bearer {token}"}
    if door.name:
        headers["Host"] = door.name
    async with aiohttp.ClientSession(timeout=timeout) as session:
        try:
            async with asyncio.timeout(ANSWER_S):
                socket = await session.ws_connect(
                    f"{door.url}/rtc?{QUERY}",
                    headers=headers,
                    ssl=door.tls or True,
                    server_hostname=door.name.partition(":")[0] or None,
                )
        except aiohttp.WSServerHandshakeError as error:
            raise JoinError(f"HTTP {error.status} instead of a WebSocket", error.status) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise JoinError(f"{type(error).__name__} {error}".strip()) from error
        async with socket:
            yield await _converse(socket)
            with contextlib.suppress(ConnectionError):
                leave = rtc.SignalRequest(leave=rtc.LeaveRequest())
                await socket.send_bytes(leave.SerializeToString())


async def _converse(socket: aiohttp.ClientWebSocketResponse) -> Invitation:
    """Offer, and read until the answer and all addresses are there."""
    invitation = Invitation(own_ufrag=secrets.token_hex(4))
    offer = rtc.SessionDescription(type="offer", sdp=_offer(invitation.own_ufrag))
    await socket.send_bytes(rtc.SignalRequest(offer=offer).SerializeToString())
    loop = asyncio.get_running_loop()
    ends = loop.time() + ANSWER_S
    while True:
        wait_s = QUIET_S if invitation.ufrag and invitation.candidates else ends - loop.time()
        try:
            message = await socket.receive(timeout=max(0.0, wait_s))
        except TimeoutError:
            if not invitation.ufrag:
                raise JoinError("the server answered no offer") from None
            return invitation
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise JoinError(f"the server closed the connection ({message.type.name})")
        if _note(rtc.SignalResponse.FromString(message.data), invitation):
            return invitation


def _note(response: rtc.SignalResponse, invitation: Invitation) -> bool:
    """Take from one message what it tells; True at the end of the addresses."""
    kind = response.WhichOneof("message")
    if kind == "leave":
        raise JoinError(f"the server sent us away (reason {response.leave.reason})")
    if kind == "join":
        invitation.relays = [
            Relay(tuple(each.urls), each.username, each.credential)
            for each in response.join.ice_servers
        ]
    elif kind == "answer":
        for line in response.answer.sdp.splitlines():
            name, _, value = line.partition(":")
            if name == "a=ice-ufrag":
                invitation.ufrag = value
            elif name == "a=ice-pwd":
                invitation.password = value
            elif name == "a=candidate":
                _add(invitation, value)
    elif kind == "trickle" and response.trickle.target == rtc.SignalTarget.PUBLISHER:
        text = json.loads(response.trickle.candidateInit or "{}").get("candidate", "")
        _add(invitation, str(text).removeprefix("candidate:"))
        return response.trickle.final
    return False


def _add(invitation: Invitation, text: str) -> None:
    """An address as RFC 8839 5.1 writes it; one that cannot be read is none."""
    try:
        parsed = Parsed.from_sdp(text)
    except ValueError:
        return
    found = Candidate(parsed.transport.lower(), parsed.host, parsed.port)
    if found not in invitation.candidates:
        invitation.candidates.append(found)


def _offer(ufrag: str) -> str:
    """One data channel (RFC 8841). No handshake follows, so nobody needs the certificate."""
    fingerprint = ":".join(f"{byte:02X}" for byte in secrets.token_bytes(32))
    lines = (
        "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0",
        f"a=ice-ufrag:{ufrag}", f"a=ice-pwd:{secrets.token_hex(16)}", "a=ice-options:trickle",
        f"a=fingerprint:sha-256 {fingerprint}", "a=setup:actpass", "a=mid:0", "a=sctp-port:5000",
    )  # fmt: skip
    return "\r\n".join((*lines, ""))

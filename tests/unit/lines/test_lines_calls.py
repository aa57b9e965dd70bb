"""Lines as a caller meets them: real INVITEs to a real livekit-sip."""

import asyncio
import contextlib
import socket
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from ipaddress import IPv4Network

import pytest
from livekit import api
from livekit.protocol.models import ParticipantInfo
from tests.servers import KEY, SECRET, Servers, binary
from tests.unit.lines.test_lines_plan import LINE

from voicestack.lines.apply import switchboard
from voicestack.lines.model import Digest, Line
from voicestack.lines.wanted import networks, wanted

CALLER = "+14155550123"
OPEN = replace(LINE, number="+15550177")


@pytest.fixture
def sip(server: Servers) -> Iterator[Servers]:
    if not binary("livekit-sip").exists():
        pytest.skip("livekit-sip is not built yet: make setup")
    server.start_sip()
    yield server
    server.stop("livekit-sip")


@pytest.fixture
async def client(sip: Servers) -> AsyncIterator[api.LiveKitAPI]:
    async with api.LiveKitAPI(sip.url, KEY, SECRET) as made:
        yield made
        for room in await rooms(made):
            await made.room.delete_room(api.DeleteRoomRequest(room=room))


async def have(server: Servers, *lines: Line) -> None:
    async with switchboard(server.url, KEY, SECRET) as board:
        await board.apply([wanted(line, networks()) for line in lines])


@contextlib.contextmanager
def call(server: Servers, number: str, *, host: str = "127.0.0.1") -> Iterator[socket.socket]:
    """Send an INVITE from this machine; `host` is what the caller claims in From."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(20)
        here, call_id = f"127.0.0.1:{sock.getsockname()[1]}", uuid.uuid4().hex
        port = server.ports["sip"]
        body = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {sock.getsockname()[1]} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )
        head = (
            f"INVITE sip:{number}@127.0.0.1:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{call_id};rport\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{CALLER}@{host}>;tag={call_id[:8]}\r\nTo: <sip:{number}@127.0.0.1>\r\n"
            f"Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContact: <sip:{CALLER}@{here}>\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        sock.sendto((head + body).encode(), ("127.0.0.1", port))
        yield sock


def until(sock: socket.socket, status: str) -> None:
    """Read answers up to this one."""
    while status not in sock.recv(4096).decode().split("\r\n", 1)[0]:
        pass


async def rooms(client: api.LiveKitAPI) -> list[str]:
    return [room.name for room in (await client.room.list_rooms(api.ListRoomsRequest())).rooms]


async def room_of(client: api.LiveKitAPI, number: str) -> tuple[str, ParticipantInfo]:
    """The room of a call to this number, and the caller in it."""
    async with asyncio.timeout(20):
        while True:
            for room in await rooms(client):
                request = api.ListParticipantsRequest(room=room)
                people = (await client.room.list_participants(request)).participants
                if number in room and people:
                    return room, people[0]
            await asyncio.sleep(0.05)  # the API tells of no events


async def rooms_after_a_good_call(server: Servers, client: api.LiveKitAPI) -> list[str]:
    """A call to a line that is open: when its room is there, earlier ones would be too."""
    with call(server, OPEN.number):
        await room_of(client, OPEN.number)
        return [name for name in await rooms(client) if OPEN.number not in name]


async def test_a_caller_gets_a_room_and_stays_unknown(sip: Servers, client: api.LiveKitAPI) -> None:
    """The room is named after the line; neither room, identity nor attributes hold the number."""
    await have(sip, LINE)
    with call(sip, LINE.number):
        room, caller = await room_of(client, LINE.number)
        assert room.startswith("call-_+15550100_")
        assert CALLER[-7:] not in f"{room} {caller.identity} {dict(caller.attributes)}"
        assert CALLER[-4:] not in room.removeprefix("call-_+15550100_")
        (dispatch,) = await client.agent_dispatch.list_dispatch(room_name=room)
        assert (dispatch.agent_name, dispatch.metadata) == ("receptionist", "{}")


async def test_a_number_may_be_shown(sip: Servers, client: api.LiveKitAPI) -> None:
    """hide_number: false gives the agent the number, and the room name still none."""
    await have(sip, replace(LINE, hide_number=False))
    with call(sip, LINE.number):
        room, caller = await room_of(client, LINE.number)
        assert caller.attributes["sip.phoneNumber"] == CALLER
        assert CALLER not in room


@pytest.mark.parametrize("number", ["+15550199", "100", "900123", "+155501000"])
async def test_unknown_numbers_make_no_room(
    sip: Servers, client: api.LiveKitAPI, number: str
) -> None:
    """No trunk, no rule: nothing happens."""
    await have(sip, LINE, OPEN)
    with call(sip, number):
        assert await rooms_after_a_good_call(sip, client) == []


async def test_strangers_make_no_room(sip: Servers, client: api.LiveKitAPI) -> None:
    """A caller from an address that the line does not name."""
    await have(sip, replace(LINE, sources=(IPv4Network("203.0.113.0/24"),)), OPEN)
    with call(sip, LINE.number):
        assert await rooms_after_a_good_call(sip, client) == []


@pytest.mark.parametrize("network", ["203.0.113.0/24", "203.0.113.7/32"])
async def test_strangers_cannot_claim_an_address(
    sip: Servers, client: api.LiveKitAPI, network: str
) -> None:
    """What stands in From is the caller's word; only the packet's source counts."""
    await have(sip, replace(LINE, sources=(IPv4Network(network),)), OPEN)
    with call(sip, LINE.number, host=network):
        assert await rooms_after_a_good_call(sip, client) == []


async def test_a_password_is_asked_for(sip: Servers, client: api.LiveKitAPI) -> None:
    """No room before the caller has proved to know it."""
    await have(sip, replace(LINE, digest=Digest("desk", "s" * 20)), OPEN)
    with call(sip, LINE.number) as sock:
        until(sock, "407")
        assert await rooms_after_a_good_call(sip, client) == []


async def test_a_removed_line_answers_no_more(sip: Servers, client: api.LiveKitAPI) -> None:
    """Applied, then taken out of the file."""
    await have(sip, LINE, OPEN)
    await have(sip, OPEN)
    with call(sip, LINE.number):
        assert await rooms_after_a_good_call(sip, client) == []

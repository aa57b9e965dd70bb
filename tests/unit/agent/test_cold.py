"""A cold transfer that does not work leaves the call as it was: real gateway, real phone."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from livekit import api
from tests.servers import KEY, SECRET, Servers, gateway
from tests.unit.agent.scripted import joined, room_of, until
from tests.unit.lines.test_lines_plan import LINE

from voice_agent import transfer
from voicestack.lines.apply import switchboard
from voicestack.lines.wanted import networks, wanted
from voicestack.phone import Faults, Phone

pytestmark = pytest.mark.calls

NUMBER = "+15550176"
TARGETS = {"billing": "tel:+15550123"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with gateway(tmp_path_factory.mktemp("cold")) as stack:
        yield stack


@pytest.mark.parametrize(
    ("to", "refer", "referred", "works"),
    [
        ("billing", 200, True, True),
        ("billing", 603, True, False),  # the carrier takes no REFER
        ("billing", 486, True, False),  # it tried, and the target was busy
        ("billing", 0, True, False),  # it never answers
        ("+19005550123", 200, False, False),  # nobody whom the settings name
    ],
)
async def test_what_becomes_of_a_transfer(
    running: Servers,
    monkeypatch: pytest.MonkeyPatch,
    to: str,
    refer: int,
    referred: bool,
    works: bool,
) -> None:
    """True only if the target has it; otherwise caller and agent still hear each other."""
    monkeypatch.setattr(transfer, "TIMEOUT_S", 20.0 if refer else 3.0)
    async with (
        api.LiveKitAPI(running.url, KEY, SECRET) as client,
        switchboard(running.url, KEY, SECRET) as board,
        Phone(faults=Faults(refer=refer)) as phone,
    ):
        await board.apply([wanted(replace(LINE, number=NUMBER), networks())])
        ringing = asyncio.create_task(
            phone.dial(NUMBER, server=("127.0.0.1", running.ports["sip"]))
        )
        room = await room_of(client)
        async with joined(running, room) as agent:
            await agent.hum(440)
            call = await ringing
            await until(lambda: "active" in [
                each.attributes.get("sip.callStatus")
                for each in agent.room.remote_participants.values()
            ])  # fmt: skip
            ctx: Any = SimpleNamespace(room=agent.room, api=client)
            assert await transfer.cold(ctx, to, TARGETS) is works
            assert (call.referred_to is not None) is referred
            if works:
                async with asyncio.timeout(10):
                    await call.ended.wait()
            else:
                assert not call.ended.is_set()
                since = asyncio.get_running_loop().time()
                assert await call.first_audio(timeout_s=5, since=since) is not None
        await client.room.delete_room(api.DeleteRoomRequest(room=room))

"""The wall between a caller and somebody who is asked: real server, real gateway, real phones."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from livekit import api
from tests.calls.hearing import steady_db, tone, tone_db
from tests.servers import KEY, SECRET, Servers, gateway
from tests.unit.agent.scripted import joined, room_of, until
from tests.unit.lines.test_lines_plan import LINE

from voice_agent import music
from voice_agent.wall import Wall, clear
from voicestack.lines.apply import switchboard
from voicestack.lines.wanted import networks, wanted
from voicestack.outbound import transfer
from voicestack.outbound.rules import Rules, Trunk
from voicestack.phone import Call, Phone, audio

pytestmark = pytest.mark.calls

NUMBER, OFFICE, ASKED = "+15550177", "+15550123", "asked-00000001"
CALLER_HZ, OFFICE_HZ, MAIN_HZ, BRIEFING_HZ = 1700, 2300, 800, 1200
# Beside three loud tones G.711 has noise of its own.
SILENCE_DB, AUDIBLE_DB = -45.0, -25.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with gateway(tmp_path_factory.mktemp("wall")) as stack:
        yield stack


@pytest.fixture
async def client(running: Servers) -> AsyncIterator[api.LiveKitAPI]:
    async with api.LiveKitAPI(running.url, KEY, SECRET) as made:
        async with switchboard(running.url, KEY, SECRET) as board:
            line = replace(LINE, number=NUMBER)
            await board.apply([wanted(line, networks())])
        yield made


async def levels(
    call: Call, other: Call, hz: tuple[int, ...], *, speak_s: float = 1.6
) -> tuple[list[float], list[float]]:
    """How loud each tone is in each receiver while both speak."""
    began = time.monotonic()
    await asyncio.gather(call.say(tone(CALLER_HZ, speak_s)), other.say(tone(OFFICE_HZ, speak_s)))
    result = []
    for each in (call, other):
        heard = audio.heard_between(list(each.media.received), began + 0.5, began + 1.5)
        result.append([steady_db(heard, one) for one in hz])
    return result[0], result[1]


async def test_who_hears_whom(running: Servers, client: api.LiveKitAPI) -> None:
    """Behind the wall each hears one of our tracks; afterwards they hear each other."""
    async with Phone() as phone, Phone(user=OFFICE, takes_calls=True) as office:
        server = ("127.0.0.1", running.ports["sip"])
        ringing = asyncio.create_task(phone.dial(NUMBER, server=server))
        room = await room_of(client)
        async with joined(running, room) as agent:
            main = await agent.hum(MAIN_HZ)
            caller = await ringing
            await until(lambda: agent.room.remote_participants)
            (who,) = agent.room.remote_participants.values()
            await until(lambda: who.track_publications)
            ctx: Any = SimpleNamespace(room=agent.room, api=client)
            wall = Wall(ctx, who, ASKED)
            await wall.up()

            rules = Rules(trunks=(Trunk("t", f"127.0.0.1:{office.address[1]}", "udp", NUMBER),))
            order = transfer.request(
                OFFICE, rules, room=room, identity=ASKED, caller=NUMBER, max_call_s=60
            )
            await client.sip.create_sip_participant(order)
            incoming = await office.incoming_call()
            colleague = incoming.accept()
            briefing = await agent.hum(BRIEFING_HZ)
            wall.let_hear([briefing])
            await until(lambda: heard_db(colleague, BRIEFING_HZ) > AUDIBLE_DB)

            hz = (CALLER_HZ, OFFICE_HZ, MAIN_HZ, BRIEFING_HZ)
            at_caller, at_office = await levels(caller, colleague, hz)
            assert loud(at_caller) == [False, False, True, False], at_caller
            assert loud(at_office) == [False, False, False, True], at_office

            await wall.down(joined=True)
            await until(lambda: heard_db(colleague, MAIN_HZ) > AUDIBLE_DB)
            at_caller, at_office = await levels(caller, colleague, hz)
            assert loud(at_caller) == [False, True, True, True], at_caller
            assert loud(at_office) == [True, False, True, True], at_office
            assert main in wall.own_tracks()

            await wall.up()
            await clear(ctx, who)
            async with asyncio.timeout(10):
                await colleague.ended.wait()
            assert not caller.ended.is_set()


def heard_db(call: Call, hz: int) -> float:
    """How loud a tone was lately."""
    now = time.monotonic()
    return tone_db(audio.heard_between(list(call.media.received), now - 0.5, now), hz)


def loud(levels_db: list[float]) -> list[bool]:
    """Tell what is there from what is not; in between is neither."""
    assert all(each < SILENCE_DB or each > AUDIBLE_DB for each in levels_db), levels_db
    return [each > AUDIBLE_DB for each in levels_db]


def test_the_music_is_soft_and_ends_where_it_begins() -> None:
    """Nobody's ears are hurt, and no knock is heard between two rounds."""
    samples = music.samples()
    assert np.abs(samples).max() == music.PEAK < 32767 / 19
    assert len(samples) % music.FRAME_SAMPLES == 0
    assert abs(int(samples[0])) < 10
    assert abs(int(samples[-1])) < 10

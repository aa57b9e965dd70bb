"""Somebody is asked to take a call: each answer, on a real server with real phones on both ends.

What stands in for the worker is a session of its own with the fake voice; control's part is real.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import uvicorn
from livekit import api, rtc
from livekit.agents import NOT_GIVEN, Agent, AgentSession, room_io
from starlette.applications import Starlette
from tests.calls.hearing import is_tone, levels_db, steady_db, tone, tone_db
from tests.servers import KEY, SECRET, Servers, gateway
from tests.unit.agent.scripted import joined, room_of, until
from tests.unit.lines.test_lines_plan import LINE

from control.messages import Post
from control.transfers import Transfers
from tests import fakes
from voice_agent import pipeline, warm
from voice_agent.settings import AgentSettings
from voice_agent.wall import JOINED, ROLE
from voicestack import settings as stack_settings
from voicestack.lines.apply import switchboard
from voicestack.lines.wanted import networks, wanted
from voicestack.phone import Call, CallEnded, Phone, audio

pytestmark = pytest.mark.calls

NUMBER, OFFICE = "+15550179", "+15550123"
CALLER_HZ, OFFICE_HZ = 1700, 2300
# The chords of the hold music lie here.
MUSIC_HZ, MUSIC_BAND_HZ = 550, 250
# Beside a loud tone G.711 has noise of its own.
SILENCE_DB, NOISE_DB, AUDIBLE_DB = -55.0, -50.0, -40.0
WITHIN_S = 40.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with gateway(tmp_path_factory.mktemp("warm")) as stack:
        yield stack


@pytest.fixture(scope="module")
def models() -> Iterator[fakes.FakeModels]:
    with fakes.serving() as models:
        yield models


@dataclass
class Talk:
    """A call that is up with an agent, who may ask the office."""

    caller: Call
    ctx: Any
    session: AgentSession[None]
    settings: AgentSettings
    client: api.LiveKitAPI
    left: list[str] = field(default_factory=list)

    def ask(self, to: str = "billing") -> "asyncio.Task[warm.Answer]":
        asked = warm.warm(self.ctx, self.session, self.settings, to, "a wrong bill")
        return asyncio.create_task(asked)


@contextlib.asynccontextmanager
async def control(folder: Path, client: api.LiveKitAPI, office: Phone | None) -> AsyncIterator[str]:
    """The part of control that dials; the carrier is the office's own phone."""
    lines = folder / "lines.yaml"
    way = f'{{name: carrier, address: "127.0.0.1:{office.address[1]}", caller: "{NUMBER}"}}'
    lines.write_text(f"version: 1\nlines: []\noutbound: {{trunks: [{way}]}}\n")
    environ = {
        "STATE_DIR": str(folder),
        "LINES_FILE": str(lines),
        "TRANSFER_TARGETS": f"billing={OFFICE}, police=+1911",
    }
    held = stack_settings.load(folder, environ=environ)
    app = Starlette(routes=Transfers(Post(KEY, SECRET), held, client).routes())
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
async def office() -> AsyncIterator[Phone]:
    async with Phone(user=OFFICE, takes_calls=True) as phone:
        yield phone


@pytest.fixture
async def talk(
    running: Servers,
    models: fakes.FakeModels,
    office: Phone,
    agent_settings: AgentSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Talk]:
    monkeypatch.setattr(pipeline, "turn_handling", lambda: {"turn_detection": "manual"})
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "secret").write_text(SECRET)
    async with (
        api.LiveKitAPI(running.url, KEY, SECRET) as client,
        switchboard(running.url, KEY, SECRET) as board,
        control(tmp_path, client, office) as url,
        Phone() as phone,
    ):
        settings = agent_settings.model_copy(update={"control_url": url, "tts_url": models.url})
        await board.apply([wanted(replace(LINE, number=NUMBER), networks())])
        server = ("127.0.0.1", running.ports["sip"])
        ringing = asyncio.create_task(phone.dial(NUMBER, server=server))
        async with joined(running, await room_of(client)) as agent:
            stages = SimpleNamespace(stt=NOT_GIVEN, tts=pipeline.build_tts(settings))
            left: list[str] = []
            ctx = SimpleNamespace(
                room=agent.room,
                api=client,
                proc=SimpleNamespace(userdata={"pipeline": stages}),
                shutdown=left.append,
            )
            session = AgentSession[None](tts=stages.tts, turn_handling={"turn_detection": "manual"})
            await session.start(
                Agent(instructions=""), room=agent.room,
                room_options=room_io.RoomOptions(text_input=False), record=False,
            )  # fmt: skip
            session.say("Hello.")
            call = await ringing
            await call.listen()
            try:
                yield Talk(call, ctx, session, settings, client, left)
            finally:
                await session.aclose()
                await client.room.delete_room(api.DeleteRoomRequest(room=agent.room.name))


def heard(call: Call, since: float, until_at: float) -> Any:
    return audio.heard_between(list(call.media.received), since, until_at)


async def pick_up(office: Phone) -> Call:
    async with asyncio.timeout(WITHIN_S):
        incoming = await office.incoming_call()
    incoming.ring()
    await asyncio.sleep(0.3)  # a person who reaches for the receiver
    return incoming.accept()


async def both_speak(caller: Call, colleague: Call) -> tuple[float, float]:
    """A tone of each into his own phone; when it was."""
    began = time.monotonic()
    await asyncio.gather(caller.say(tone(CALLER_HZ, 2.0)), colleague.say(tone(OFFICE_HZ, 2.0)))
    return began + 0.5, began + 1.8  # where both are steady: an onset is heard at every frequency


async def test_a_colleague_is_told_and_takes_the_call(talk: Talk, office: Phone) -> None:
    """Music for the one, the briefing for the other, a wall between; then they talk without us."""
    asking = talk.ask()
    colleague = await pick_up(office)
    briefing = await colleague.listen(timeout_s=10)
    assert briefing.first_audio_at is not None
    assert briefing.last_audio_at is not None
    assert is_tone(briefing.samples, fakes.TONE_HZ)
    before = heard(colleague, colleague.timing.answered_at or 0.0, briefing.first_audio_at - 0.05)
    assert steady_db(before, MUSIC_HZ, MUSIC_BAND_HZ) < SILENCE_DB
    held = heard(talk.caller, briefing.first_audio_at + 0.5, briefing.last_audio_at)
    assert steady_db(held, fakes.TONE_HZ) < SILENCE_DB, "the caller hears the briefing"
    assert AUDIBLE_DB < max(levels_db(held, MUSIC_HZ, MUSIC_BAND_HZ)) < -20
    assert np.abs(held).max() < 3000

    spoken = await both_speak(talk.caller, colleague)
    assert steady_db(heard(talk.caller, *spoken), OFFICE_HZ) < SILENCE_DB
    assert steady_db(heard(colleague, *spoken), CALLER_HZ) < SILENCE_DB

    await colleague.send_dtmf("1")
    async with asyncio.timeout(WITHIN_S):
        assert await asking == "accepted"
    assert talk.left == ["transferred"]
    roles = [each.attributes.get(ROLE) for each in talk.ctx.room.remote_participants.values()]
    await until(lambda: JOINED in [
        each.attributes.get(ROLE) for each in talk.ctx.room.remote_participants.values()
    ])  # fmt: skip
    assert len(roles) == 2
    spoken = await both_speak(talk.caller, colleague)
    assert tone_db(heard(talk.caller, *spoken), OFFICE_HZ) > AUDIBLE_DB
    assert tone_db(heard(colleague, *spoken), CALLER_HZ) > AUDIBLE_DB
    assert steady_db(heard(talk.caller, *spoken), MUSIC_HZ, MUSIC_BAND_HZ) < NOISE_DB


@pytest.mark.parametrize(
    ("way", "answer"),
    [("key", "declined"), ("hangs up", "declined"), ("603", "declined"), ("480", "no answer")],
)
async def test_who_is_not_put_through_gets_the_agent_back(
    talk: Talk, office: Phone, way: str, answer: str
) -> None:
    """Nobody of the office is left in the call, and caller and agent hear each other."""
    asking = talk.ask()
    if way.isdigit():
        async with asyncio.timeout(WITHIN_S):
            incoming = await office.incoming_call()
        incoming.refuse(int(way), "Decline" if way == "603" else "Temporarily Unavailable")
    else:
        colleague = await pick_up(office)
        await colleague.first_audio(timeout_s=10)
        with contextlib.suppress(CallEnded):  # let go while the key is still down
            await (colleague.send_dtmf("2") if way == "key" else colleague.hang_up())
    async with asyncio.timeout(WITHIN_S):
        assert await asking == answer
    assert talk.left == []
    await as_before(talk)


async def test_nobody_decides(talk: Talk, office: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mailbox picks up, and says neither yes nor no: it is asked twice, and let go."""
    monkeypatch.setattr(warm, "DECIDE_S", 0.5)
    asking = talk.ask()
    colleague = await pick_up(office)
    async with asyncio.timeout(WITHIN_S):
        assert await asking == "no answer"
        await colleague.ended.wait()
    await as_before(talk)


async def test_nobody_picks_up(talk: Talk, office: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    """It rings in vain; the other phone stops ringing."""
    monkeypatch.setattr(warm, "PICK_UP_S", 3.0)
    asking = talk.ask()
    async with asyncio.timeout(WITHIN_S):
        incoming = await office.incoming_call()
        incoming.ring()
        assert await asking == "no answer"
        await incoming.cancelled.wait()
    await as_before(talk)


@pytest.mark.parametrize("to", ["+19005550123", "police"])
async def test_others_are_not_dialled(talk: Talk, office: Phone, to: str) -> None:
    """Neither who is not listed, nor an emergency number that is."""
    async with asyncio.timeout(WITHIN_S):
        assert await talk.ask(to) == "not possible"
    assert office.calls == []
    await as_before(talk)


async def test_without_a_carrier_it_is_not_possible(talk: Talk, tmp_path: Path) -> None:
    """The lines file has no trunk."""
    (tmp_path / "lines.yaml").write_text("version: 1\nlines: []\n")
    async with asyncio.timeout(WITHIN_S):
        assert await talk.ask() == "not possible"
    await as_before(talk)


async def as_before(talk: Talk) -> None:
    """Caller and agent are alone, the one is heard, the other speaks, the music is over."""
    room: rtc.Room = talk.ctx.room
    await until(lambda: len(room.remote_participants) == 1)
    (who,) = room.remote_participants.values()
    await until(lambda: not any(each.muted for each in who.track_publications.values()))
    since = time.monotonic()
    await talk.session.say("Here I am again.")
    reply = await talk.caller.listen(since=since)
    assert is_tone(reply.samples, fakes.TONE_HZ)
    assert not talk.caller.ended.is_set()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("Yes, put him through.", "accepted"),
        ("Okay.", "accepted"),
        ("No, not now.", "declined"),
        ("Yes, but I can't take it.", "declined"),
        ("Hello, who is this?", None),
        ("", None),
    ],
)
def test_what_is_meant(words: str, answer: str | None) -> None:
    """A no outweighs a yes; everything else is no answer."""
    assert warm.meaning(words) == answer


def test_what_the_model_says_of_the_call_is_one_clause() -> None:
    """However much it writes, and whatever."""
    assert warm.bounded("a wrong\nbill.\x00 ") == "a wrong bill"
    assert len(warm.bounded("word " * 1000)) <= warm.MOST_ABOUT_CHARS
    assert warm.bounded(" \n") == "something that they did not tell me"

"""What stays of a call: recording, record, outcome, events; and what its page is told meanwhile."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from livekit import api, rtc

from tests import fakes
from tests.calls import world
from tests.calls.telephony import people
from tests.calls.test_scripts import script
from tests.calls.test_scripts import told as said
from tests.fakes import FakeModels
from tests.speech import Utterance
from tests.unit.control.receiver import Receiver, listening
from voice_agent.opening import ASK_TEXT
from voicestack.native.up import Stack
from voicestack.office import Office
from voicestack.phone import Call, Phone

WITHIN_S = 40.0
DISCLOSURE = "You talk to a computer."
SUMMARY = '{"outcome": "message", "summary": "Call +1 510 555 0123 back."}'
TOOL = ("take_message", '{"message": "Call +1 510 555 0123 back."}')
ASKED_HZ = 1500
# Sound that is there: silence is 0, the tone has 0.17, speech on a phone 0.02 and more.
AUDIBLE = 0.01


@pytest.fixture(scope="module")
def models() -> Iterator[FakeModels]:
    with fakes.serving() as models:
        models.filed = SUMMARY
        yield models


@pytest.fixture(scope="module")
def receiver() -> Receiver:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return Receiver(port=free.getsockname()[1])


@pytest.fixture(scope="module")
def environ(
    tmp_path_factory: pytest.TempPathFactory, models: FakeModels, receiver: Receiver
) -> dict[str, str]:
    """Everything on that this file is about."""
    more = {
        "LLM_URL": models.url,
        "TTS_URL": models.url,
        "AI_DISCLOSURE": DISCLOSURE,
        "RECORDING": "ask",
        "CALL_SUMMARY": "on",
        "HISTORY_TRANSCRIPTS": "on",
        "WEBHOOK_TRANSCRIPTS": "on",
        "WEBHOOK_URLS": receiver.url,
    }
    values = world.environment(tmp_path_factory.mktemp("records"), **more)
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **values}


@pytest.fixture(scope="module")
def stack(environ: dict[str, str]) -> Iterator[Stack]:
    with world.of(environ) as stack:
        stack.up(lambda _: None)
        yield stack


@pytest.fixture(autouse=True)
async def office(stack: Stack, models: FakeModels) -> Office:
    """No call is up, and the language model calls no tool."""
    models.tool, models.tones = None, {}
    made = Office.with_settings(stack.settings)
    await world.no_rooms(made)
    return made


@pytest.fixture
async def told(receiver: Receiver) -> AsyncIterator[Receiver]:
    receiver.got.clear()
    async with listening(receiver):
        yield receiver


async def eventually(look: Callable[[], Any], within_s: float = WITHIN_S) -> Any:
    """Look until there is something: logs, files and histories tell of no changes."""
    async with asyncio.timeout(within_s):
        while not (seen := await look()):
            await asyncio.sleep(0.1)
    return seen


async def decided(stack: Stack, call: Call, room: str, key: str) -> bool:
    """Press the key until the question is answered; nobody hears when a tone is a question."""

    async def line() -> dict[str, Any] | None:
        for text in world.log_text(stack, "agent").splitlines():
            if "recording decided" in text and room in text:
                return dict(json.loads(text))
        if key:
            await call.send_dtmf(key)
        return None

    return bool((await eventually(line))["agreed"])


async def room_of(office: Office) -> str:
    async def rooms() -> list[str]:
        async with office.livekit() as client:
            listed = await client.room.list_rooms(api.ListRoomsRequest())
        return [each.name for each in listed.rooms]

    return str((await eventually(rooms))[0])


def channels(file: Path) -> tuple[float, float]:
    """The loudest tenth of a second of each side."""
    with av.open(file) as container:
        frames = [each.to_ndarray() for each in container.decode(audio=0)]
    left, right = np.concatenate(frames, axis=1)

    def loudest(side: Any) -> float:
        pieces = np.array_split(side, max(1, len(side) // 4800))
        return float(max(np.sqrt(np.mean(np.square(each))) for each in pieces))

    return loudest(left), loudest(right)


def recordings(stack: Stack, room: str) -> list[Path]:
    return list((stack.paths.state / "recordings").glob(f"*-{room}.ogg"))


async def test_a_call_leaves_its_record(
    stack: Stack, models: FakeModels, office: Office, told: Receiver, utterances: list[Utterance],
    environ: dict[str, str],
) -> None:  # fmt: skip
    """Agreed with key 1: a recording of both sides; record, outcome and events without numbers."""
    async with Phone() as phone:
        call = await phone.dial(world.NUMBER, server=world.server(stack), ring_timeout_s=20)
        room = await room_of(office)
        assert await decided(stack, call, room, "1")
        await call.listen()
        models.tool = TOOL
        await until_used(call, models, utterances[0])
        models.tool = None

    async def ended() -> dict[str, Any] | None:
        bodies = [json.loads(body) for _, body in told.got]
        return next((each for each in bodies if each["type"] == "call.ended"), None)

    data = (await eventually(ended))["data"]
    (file,) = recordings(stack, room)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert min(channels(file)) > AUDIBLE
    shown = await office.control(f"/calls/{room}")
    tool = shown["tools"][0]
    assert (tool["name"], tool["ok"]) == ("take_message", True)
    assert tool["arguments"] == '{"message": "Call (number)23 back."}'
    assert (shown["outcome"], shown["summary"]) == ("message", "Call (number)23 back.")
    assert shown["words"][0]["text"] == DISCLOSURE
    assert (data["room"], data["result"], data["outcome"]) == (room, "answered", "message")
    sent = [each["text"] for each in data["transcript"]]
    assert sent == [each["text"] for each in shown["words"]][: len(sent)]
    assert DISCLOSURE in sent
    assert {json.loads(body)["type"] for _, body in told.got} == {
        *("call.started", "call.answered", "call.ended")
    }
    await commands(environ, room, told)


async def until_used(call: Call, models: FakeModels, utterance: Utterance) -> None:
    """Ask until the tool was called: a busy machine apologizes, and people ask again."""

    async def used() -> bool:
        return any(messages[-1]["role"] == "tool" for messages in models.asked)

    async with asyncio.timeout(3 * WITHIN_S):
        while not await used():
            await call.say(utterance.path)
            with contextlib.suppress(TimeoutError):
                await eventually(used, within_s=WITHIN_S / 2)


async def commands(environ: dict[str, str], room: str, told: Receiver) -> None:
    """The same from the command line: found, exported, sent again, deleted."""
    listed, exported, events, kept = await asyncio.gather(
        said(environ, "calls", "list", "--outcome", "message"),
        script(environ, "calls", "export", "--words"),
        said(environ, "webhooks", "list", "--all"),
        said(environ, "calls", "recording", room),
    )
    assert [each["room"] for each in listed["calls"]] == [room]
    assert json.loads(exported.stdout.splitlines()[0])["words"][0]["text"] == DISCLOSURE
    assert {each["state"] for each in events["deliveries"]} == {"delivered"}
    assert [each["bytes"] > 1000 for each in kept["recordings"]] == [True]
    again = events["deliveries"][0]["event"]
    before = told.ids.count(again)
    tested, replayed, _ = await asyncio.gather(
        said(environ, "webhooks", "test"),
        said(environ, "webhooks", "replay", again),
        said(environ, "calls", "recording", room, "--delete"),
    )
    assert tested["results"][0]["delivered"]
    assert replayed == {"again": 1}

    async def came_again() -> bool:
        return told.ids.count(again) == before + 1

    await eventually(came_again)
    none = await script(environ, "calls", "recording", room)
    assert (none.returncode, "hint:" in none.stderr) == (1, True)


async def test_a_caller_who_says_no_is_not_recorded(stack: Stack, office: Office) -> None:
    """Key 2: no file, and the call goes on with its greeting."""
    async with Phone() as phone:
        call = await phone.dial(world.NUMBER, server=world.server(stack), ring_timeout_s=20)
        room = await room_of(office)
        assert not await decided(stack, call, room, "2")
        assert (await call.listen(timeout_s=10)).first_audio_at is not None
    assert recordings(stack, room) == []


async def test_a_spoken_no_is_heard(
    stack: Stack, models: FakeModels, office: Office, utterances: list[Utterance]
) -> None:
    """A sentence with a no in it, by a human voice: no file, and the call goes on."""
    models.tones = {ASK_TEXT: ASKED_HZ}
    refusal = next(each for each in utterances if "This is not a normal" in each.text)
    async with Phone() as phone:
        call = await phone.dial(world.NUMBER, server=world.server(stack), ring_timeout_s=20)
        room = await room_of(office)
        # To its end: what is said into a notice that must be heard is not listened to.
        await people.hears(call, ASKED_HZ)
        await call.listen()
        await call.say(refusal.path)
        assert not await decided(stack, call, room, "")
        assert (await call.listen(timeout_s=10)).first_audio_at is not None
    assert recordings(stack, room) == []


async def test_a_page_reads_along_and_asks(
    stack: Stack, models: FakeModels, office: Office
) -> None:
    """Captions as text streams; RPC for the caller's page alone: state, text, hanging up."""
    page, other = rtc.Room(), rtc.Room()
    captions: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    gone = asyncio.Event()
    reading: set[asyncio.Task[None]] = set()

    def on_caption(reader: rtc.TextStreamReader, identity: str) -> None:
        async def read() -> None:
            captions.put_nowait((identity, await reader.read_all()))

        reading.add(asyncio.create_task(read()))

    page.register_text_stream_handler("lk.transcription", on_caption)
    page.on("disconnected", lambda *_: gone.set())
    await page.connect(url(stack), token(office, "page"))
    async with office.livekit() as client:
        await client.agent_dispatch.create_dispatch(
            api.CreateAgentDispatchRequest(agent_name="receptionist", room="kitchen")
        )
    async with asyncio.timeout(WITHIN_S):
        agent, text = await captions.get()
    assert text.strip() == DISCLOSURE
    await other.connect(url(stack), token(office, "other"))  # the agent talks to the page by now

    async def ask(room: rtc.Room, method: str, payload: str = "") -> Any:
        answer = await room.local_participant.perform_rpc(
            destination_identity=agent, method=f"voicestack.{method}", payload=payload
        )
        return json.loads(answer)

    assert set(await ask(page, "state")) == {"agent", "caller"}
    for method in ("state", "text", "hang_up"):
        with pytest.raises(rtc.RpcError) as refused:
            await ask(other, method, "hello")
        assert refused.value.code == 403
    with pytest.raises(rtc.RpcError) as refused:
        await ask(page, "text", "x" * 1001)
    assert refused.value.code == 400
    await page_asks(ask, page)
    async with asyncio.timeout(WITHIN_S):
        while (await captions.get())[1].strip() != fakes.REPLY:
            pass
    assert any(each[-1]["content"] == "When are you open?" for each in models.asked)
    assert (await ask(page, "hang_up")) == {"ending": True}
    async with asyncio.timeout(WITHIN_S):
        await gone.wait()
    await other.disconnect()


async def page_asks(ask: Callable[..., Any], page: rtc.Room) -> None:
    """Type a question; while a notice is spoken that must be heard, the answer is `not now`."""

    async def taken() -> bool:
        try:
            return bool((await ask(page, "text", "When are you open?"))["taken"])
        except rtc.RpcError as error:
            if error.code not in {409, 429}:
                raise
            return False

    await eventually(taken)


def url(stack: Stack) -> str:
    return f"ws://127.0.0.1:{stack.ports['livekit_http']}"


def token(office: Office, identity: str) -> str:
    grants = api.VideoGrants(room_join=True, room="kitchen")
    made = api.AccessToken(office.held.livekit_api_key, office.held.livekit_api_secret)
    return made.with_identity(identity).with_grants(grants).to_jwt()

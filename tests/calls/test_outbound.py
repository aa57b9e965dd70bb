"""Calls that we place: every result against a scripted far end, refusals before any packet."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from livekit.api import RoomAgentDispatch

from tests import fakes, greetings, speech
from tests.calls import world
from tests.calls.hearing import is_tone
from voicestack.native.up import Stack
from voicestack.office import Office
from voicestack.outbound.dial import Order, dial
from voicestack.outbound.ledger import Ledger, file_of
from voicestack.outbound.rules import Trunk
from voicestack.phone import Heard, IncomingCall, Phone
from voicestack.phone.wire import sip
from voicestack.phone.wire.g711 import FRAME_S, FRAME_SAMPLES

NUMBER = "+15105550123"
MESSAGE, MESSAGE_HZ = "Your order is ready.", 1500
WITHIN_S = 30.0
# A tone that nothing was cut from, but for a packet or two of a busy machine; words that began too
# early lose more.
WHOLE_S = fakes.TONE_S - 0.12
# The tone has some 5000; what G.711 makes of silence has none.
LOUD = 500
LINES = """\
version: 1
lines: []
outbound:
  trunks: [{{name: carrier, address: "127.0.0.1:{port}", caller: "+15550100"}}]
  allow: ["+1510"]
  do_not_call: ["+15105550199"]
  per_hour: {per_hour}
  quiet_hours: "{quiet}"
"""
# By this machine's clock: hours that are far away, and hours that it is in, also past midnight.
HOUR = time.localtime().tm_hour
NOT_QUIET = f"{(HOUR + 12) % 24:02}:00-{(HOUR + 12) % 24:02}:05"
QUIET = f"{(HOUR - 1) % 24:02}:00-{(HOUR + 3) % 24:02}:00"


@pytest.fixture(scope="module")
def models() -> Iterator[fakes.FakeModels]:
    with fakes.serving() as models:
        yield models


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory, models: fakes.FakeModels) -> dict[str, str]:
    more = {"LLM_URL": models.url, "TTS_URL": models.url}
    values = world.environment(tmp_path_factory.mktemp("outbound"), **more)
    Path(values["LINES_FILE"]).write_text("version: 1\nlines: []\n")
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **values}


@pytest.fixture(scope="module")
def stack(environ: dict[str, str]) -> Iterator[Stack]:
    with world.of(environ) as stack:
        stack.up(lambda _: None)
        yield stack


@pytest.fixture(autouse=True)
async def a_free_line(stack: Stack, models: fakes.FakeModels) -> None:
    models.tones = {}
    await world.no_rooms(Office.with_settings(stack.settings))


def rules(environ: dict[str, str], port: int, *, per_hour: int = 1000, quiet: str = "") -> None:
    """Write the lines file: the far end is the carrier."""
    text = LINES.format(port=port, per_hour=per_hour, quiet=quiet or NOT_QUIET)
    Path(environ["LINES_FILE"]).write_text(text)


async def make_call(environ: dict[str, str], *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Run the script: exit code, answer, progress."""
    command = [sys.executable, str(world.ROOT / "scripts/make_call.py"), *arguments, "--json"]
    done = await asyncio.to_thread(
        subprocess.run, command, env=environ, capture_output=True, text=True, check=False,
        timeout=90, cwd=Path(environ["LINES_FILE"]).parent,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


async def called(
    environ: dict[str, str],
    script: Callable[[IncomingCall], Awaitable[None]],
    *arguments: str,
) -> tuple[int, dict[str, Any], str]:
    """The same against a phone that does as the script says when it is called."""
    async with Phone(user=NUMBER, takes_calls=True) as far_end:

        async def answer() -> None:
            incoming = await far_end.incoming_call()
            rung.set()
            await script(incoming)

        rung = asyncio.Event()
        task = asyncio.create_task(answer())
        rules(environ, far_end.address[1])
        result = await make_call(environ, NUMBER, *arguments)
        assert rung.is_set(), f"the far end was never called: {result}"
        async with asyncio.timeout(WITHIN_S):
            await task
    return result


async def test_an_answered_call_hears_the_agent(stack: Stack, environ: dict[str, str]) -> None:
    """Ringing, answered, the first words are whole; history knows it as outbound."""
    heard: list[Any] = []

    async def pick_up(incoming: IncomingCall) -> None:
        incoming.ring()
        await asyncio.sleep(0.5)
        call = incoming.accept()
        heard.append(await call.listen(timeout_s=WITHIN_S))
        await call.hang_up()

    code, answer, progress = await called(environ, pick_up, "--wait", "--agent", "sales")
    assert (code, answer["result"], answer["sip_code"]) == (0, "answered", 200)
    assert "ringing" in progress
    assert is_tone(heard[0].samples, fakes.TONE_HZ)
    assert lasted_s(heard[0]) > WHOLE_S
    office = Office.with_settings(stack.settings)
    newest = (await office.control("/calls?limit=1"))["calls"][0]
    assert (newest["direction"], newest["agent"], newest["result"]) == (
        "outbound", "sales", "answered",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "reason", "result", "exit_code"),
    [
        (486, "Busy Here", "busy", 10),
        (480, "Temporarily Unavailable", "no answer", 11),
        (603, "Decline", "declined", 12),
        (404, "Not Found", "invalid", 13),
        (503, "Service Unavailable", "carrier error", 1),
    ],
)
async def test_each_refusal_of_the_far_end(
    stack: Stack, environ: dict[str, str], status: int, reason: str, result: str, exit_code: int
) -> None:
    """With its SIP code and an exit code of its own; no room is left."""

    async def refuse(incoming: IncomingCall) -> None:
        incoming.refuse(status, reason)

    code, answer, _ = await called(environ, refuse)
    assert (answer["result"], answer["sip_code"], code) == (result, status, exit_code)


async def test_calls_in_quick_succession(stack: Stack, environ: dict[str, str]) -> None:
    """Each finds an agent, also while those of the calls before are still on their way out."""
    office = Office.with_settings(stack.settings)
    asked = RoomAgentDispatch(agent_name=stack.settings.agent_name)
    async with Phone(user=NUMBER, takes_calls=True) as far_end:
        trunk = Trunk("carrier", f"127.0.0.1:{far_end.address[1]}", "udp", "+15550100")

        async def refuse() -> None:
            while True:
                (await far_end.incoming_call()).refuse()

        task = asyncio.create_task(refuse())
        order = partial(Order, NUMBER, trunk, asked, ring_s=10, max_call_s=60)
        results = [(await dial(office, order(), lambda _: None)).result for _ in range(6)]
        task.cancel()
    assert results == ["busy"] * 6


async def test_nobody_picks_up(stack: Stack, environ: dict[str, str]) -> None:
    """It rings as long as it may, then the far end is told to stop."""

    async def ring(incoming: IncomingCall) -> None:
        incoming.ring()
        await incoming.cancelled.wait()

    code, answer, _ = await called(environ, ring, "--ring-s", "5")
    assert (answer["result"], code) == ("no answer", 11)


def lasted_s(heard: Heard) -> float:
    """For how long something was heard, by the clock of who sent it: packets may come late."""
    whole = len(heard.samples) // FRAME_SAMPLES * FRAME_SAMPLES
    frames = np.abs(heard.samples[:whole].astype(np.int32)).reshape(-1, FRAME_SAMPLES)
    return float((frames.max(axis=1, initial=0) > LOUD).sum()) * FRAME_S


async def test_a_person_speaks_first(stack: Stack, environ: dict[str, str]) -> None:
    """Then the agent, whole; whoever answers is not talked over, and is no machine."""
    hello = greetings.spoken("flite", "slt", "Hello, this is Peter.")
    times: list[float] = []

    async def answer(incoming: IncomingCall) -> None:
        call = incoming.accept()
        said = await call.say(hello, rate_hz=speech.RATE_HZ)
        heard = await call.listen(timeout_s=WITHIN_S)
        times.extend([said.speech_ended_at, heard.first_audio_at or 0.0])
        assert lasted_s(heard) > WHOLE_S
        await call.hang_up()

    code, answer_, _ = await called(environ, answer, "--purpose", "your order")
    assert (code, answer_["result"]) == (0, "answered")
    assert times[0] < times[1]


async def test_a_voicemail_gets_its_message_after_the_beep(
    stack: Stack, environ: dict[str, str]
) -> None:
    """Not a sound before it, all of the message after it; the call ends by itself."""
    text = "Hi, this is Anna. I can't come to the phone right now. Please leave a message."
    greeting = greetings.spoken("flite", "slt", text)
    whole, _ = greetings.with_beep(greeting, 850, 0.5, 1.0)
    heard: list[Heard] = []
    beeped_at: list[float] = []

    async def record(incoming: IncomingCall) -> None:
        call = incoming.accept()
        began = time.monotonic()
        said = await call.say(whole, rate_hz=speech.RATE_HZ)
        beeped_at.append(said.finished_at)
        heard.append(await call.listen(timeout_s=WITHIN_S, since=began))
        await call.ended.wait()

    arguments = ("--message", MESSAGE, "--wait")
    code, answer, _ = await called(environ, record, *arguments)
    assert (code, answer["result"]) == (14, "voicemail")
    assert is_tone(heard[0].samples[-8000:], fakes.TONE_HZ)
    assert lasted_s(heard[0]) > WHOLE_S
    assert (heard[0].first_audio_at or 0.0) > beeped_at[0]
    office = Office.with_settings(stack.settings)
    assert (await office.control("/calls?limit=1"))["calls"][0]["result"] == "voicemail"


async def test_a_beep_in_the_talk_is_a_voicemails(
    stack: Stack, environ: dict[str, str], models: fakes.FakeModels
) -> None:
    """It paused like a person, and no word told what it is: it gets its message all the same."""
    hello = greetings.spoken("flite", "slt", "Hello.")
    rest = greetings.spoken("flite", "slt", "You are at the best place for gardens and old trees.")
    whole, _ = greetings.with_beep(rest, 1000, 0.5, 0.5)
    models.tones = {MESSAGE: MESSAGE_HZ}
    heard: list[Heard] = []

    async def record(incoming: IncomingCall) -> None:
        call = incoming.accept()
        await call.say(hello, rate_hz=speech.RATE_HZ)
        assert await call.first_audio(timeout_s=WITHIN_S) is not None, "nobody greeted a person"
        said = await call.say(whole, rate_hz=speech.RATE_HZ)
        heard.append(await call.listen(timeout_s=WITHIN_S, since=said.finished_at))
        await call.ended.wait()

    code, answer, _ = await called(environ, record, "--message", MESSAGE, "--wait")
    assert (code, answer["result"]) == (14, "voicemail")
    assert is_tone(heard[0].samples[-8000:], MESSAGE_HZ)


async def test_call_screening_is_told_who_calls_and_why(
    stack: Stack, environ: dict[str, str]
) -> None:
    """Then a person comes, and is greeted: answered. Or nobody does: screened."""
    text = greetings.texts(greetings.SCREENINGS)[0]
    assistant = greetings.spoken("flite", "slt", text)
    hello = greetings.spoken("flite", "rms", "Hello, this is Peter.")

    async def put_through(incoming: IncomingCall) -> None:
        call = incoming.accept()
        await call.say(assistant, rate_hz=speech.RATE_HZ)
        assert is_tone((await call.listen(timeout_s=WITHIN_S)).samples, fakes.TONE_HZ)
        await call.say(hello, rate_hz=speech.RATE_HZ)
        assert lasted_s(await call.listen(timeout_s=WITHIN_S)) > WHOLE_S
        await call.hang_up()

    async def hang_up(incoming: IncomingCall) -> None:
        call = incoming.accept()
        await call.say(assistant, rate_hz=speech.RATE_HZ)
        assert is_tone((await call.listen(timeout_s=WITHIN_S)).samples, fakes.TONE_HZ)
        await call.hang_up()

    code, answer, _ = await called(environ, put_through, "--purpose", "your order")
    assert (code, answer["result"]) == (0, "answered")
    code, answer, _ = await called(environ, hang_up, "--purpose", "your order")
    assert (code, answer["result"]) == (15, "screened")


REFUSED = (
    ("911", "emergency", 20, {}),
    ("+19005550123", "premium", 20, {}),
    ("+14155550123", "not allowed", 20, {}),
    ("+15105550199", "do not call", 20, {}),
    ("5550123", "invalid number", 2, {}),
    (NUMBER, "quiet hours", 20, {"quiet": QUIET}),
    (NUMBER, "hourly cap", 20, {"per_hour": 1}),
)


async def test_what_is_refused_is_never_dialled(stack: Stack, environ: dict[str, str]) -> None:
    """Each reason of our own rules, and not one packet at the carrier: seen on the wire."""
    with closing(Ledger(file_of(stack.settings.state_dir))) as ledger:
        counted = ledger.reserve("+15105550001", lambda _: None)
        assert isinstance(counted, int)
        ledger.finish(counted, "answered")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier:
        carrier.bind(("127.0.0.1", 0))
        carrier.setblocking(False)
        for number, why, exit_code, limits in REFUSED:
            rules(environ, carrier.getsockname()[1], **limits)
            code, answer, said = await make_call(environ, number)
            assert (answer["code"], code) == (why, exit_code)
            assert answer["reason"] in said
        with pytest.raises(BlockingIOError):
            carrier.recv(1)


async def queue(environ: dict[str, str], *arguments: str) -> asyncio.subprocess.Process:
    """Start the queue's script."""
    return await asyncio.create_subprocess_exec(
        sys.executable, str(world.ROOT / "scripts/call_queue.py"), *arguments, "--json",
        env=environ, cwd=Path(environ["LINES_FILE"]).parent,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_a_queue_that_is_killed_goes_on(
    stack: Stack, environ: dict[str, str], tmp_path: Path
) -> None:
    """Killed while a phone rings and while a call is up: nobody twice, nobody forgotten.

    One is busy first and called again; what our rules refuse never reaches the carrier.
    """
    numbers = [f"+151055502{n:02}" for n in range(5)]
    file = tmp_path / "people.csv"
    file.write_text("\n".join(["number", *numbers, "+15105550199", "+19005550123"]) + "\n")
    run = ("run", str(file), "--pace-s", "0", "--retry", "busy=2x1", "--report", f"{file}.out")
    dialled: list[str] = []
    async with Phone(user=NUMBER, takes_calls=True) as carrier:
        rules(environ, carrier.address[1])

        async def next_call() -> tuple[str, IncomingCall]:
            async with asyncio.timeout(60):
                incoming = await carrier.incoming_call()
            dialled.append(sip.parse_address(incoming.invite.get_header("to") or "").uri.user or "")
            return dialled[-1], incoming

        async def talk(incoming: IncomingCall) -> None:
            call = incoming.accept()
            assert await call.first_audio(timeout_s=20) is not None
            await call.hang_up()

        process = await queue(environ, *run)
        _, first = await next_call()
        first.ring()
        process.kill()  # while it rings: livekit-sip goes on, and the person picks up
        await process.wait()
        await talk(first)
        process = await queue(environ, *run)
        _, second = await next_call()
        call = second.accept()
        assert await call.first_audio(timeout_s=20) is not None
        process.kill()  # while they talk
        await process.wait()
        process = await queue(environ, *run)
        await call.hang_up()
        _, third = await next_call()
        third.refuse(486, "Busy Here")
        for _ in range(3):
            await talk((await next_call())[1])
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        assert carrier._doorbell.rings.empty()
    answer = json.loads(out)
    assert sorted(dialled) == sorted([*numbers, numbers[2]]), err.decode()
    assert answer["counts"] == {"answered": 5, "refused": 2}, answer
    assert (process.returncode, answer["finished"]) == (0, True)
    assert Path(f"{file}.out").stat().st_mode & 0o777 == 0o600
    report = await queue(environ, "report", "people")
    out, _ = await report.communicate()
    assert json.loads(out)["counts"] == answer["counts"]

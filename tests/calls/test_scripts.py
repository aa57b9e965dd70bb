"""Every script of the operator against a stack that runs, and against none."""

import asyncio
import contextlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import fakes
from tests.calls import world
from tests.speech import Utterance
from voicestack import ports
from voicestack.native.up import Stack
from voicestack.office import Office
from voicestack.phone import Call, Phone

# The promise is 3 s, kept by `make bench-scripts` on an idle machine; at a load of 15 it was 9 s.
DOWN_S = float(os.environ.get("DOWN_S", "15"))
LIMIT_S = 60
# A phone whose BYE is lost on a busy machine gets another; who waits for it has time.
UNTOLD_S = 20
# Each call from a number of its own.
CALLERS = itertools.count(1)
SCENARIOS = world.ROOT / "tests/agents/receptionist.yaml"
SCRIPTS = sorted(file.stem for file in (world.ROOT / "scripts").glob("*.py"))


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with fakes.serving() as models:
        # Nobody speaks in most of these calls: on a busy machine they would be ended for it.
        more = {"LLM_URL": models.url, "TTS_URL": models.url, "SILENCE_S": "600"}
        values = world.environment(tmp_path_factory.mktemp("scripts"), **more)
        values["LINES_FILE"] = str(one_line(Path(values["LINES_FILE"])))
        yield {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **values}


def one_line(file: Path) -> Path:
    """Two numbers, two agents, one worker."""
    file.write_text(
        "version: 1\nlines:\n"
        '  - {number: "+15550100", agent: receptionist, callers: {from: [this-machine]}}\n'
        '  - {number: "+15550110", agent: sales, callers: {from: [this-machine]}}\n'
        "outbound:\n"
        '  trunks: [{name: carrier, address: "127.0.0.1:9", caller: "+15550100"}]\n'
        '  allow: ["+1510"]\n'
    )
    return file


@pytest.fixture(scope="module")
def stack(environ: dict[str, str]) -> Iterator[Stack]:
    with world.of(environ) as stack:
        stack.up(lambda _: None)
        yield stack


@pytest.fixture(autouse=True)
async def no_call_is_up(request: pytest.FixtureRequest) -> None:
    """What an earlier test left is gone."""
    if "stack" in request.fixturenames:
        office = Office.with_settings(request.getfixturevalue("stack").settings)
        await world.no_rooms(office)


async def script(
    environ: Mapping[str, str], name: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run one; the calls of a test go on meanwhile."""
    command = [sys.executable, str(world.ROOT / "scripts" / f"{name}.py"), *arguments]
    return await asyncio.to_thread(
        subprocess.run, command, env=environ, capture_output=True, text=True, check=False,
        timeout=LIMIT_S, cwd=Path(environ["LINES_FILE"]).parent,
    )  # fmt: skip


async def told(environ: Mapping[str, str], name: str, *arguments: str, code: int = 0) -> Any:
    """What a script says with --json."""
    done = await script(environ, name, *arguments, "--json")
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


@contextlib.asynccontextmanager
async def a_call(stack: Stack, number: str = world.NUMBER) -> AsyncIterator[Call]:
    """A call that has been greeted, when those of earlier tests are gone."""
    async with Phone(user=f"+1510555{next(CALLERS):04d}") as phone:
        call = await phone.dial(number, server=world.server(stack), ring_timeout_s=20)
        assert (await call.listen()).first_audio_at is not None
        yield call


async def room_of_the_call(environ: Mapping[str, str]) -> str:
    (call,) = (await told(environ, "check_agent_status"))["calls"]
    return str(call["room"])


@pytest.mark.parametrize("name", SCRIPTS)
async def test_help_has_an_example(environ: dict[str, str], name: str) -> None:
    """Whoever asks a script sees how it is called."""
    done = await script(environ, name, "--help")
    assert done.returncode == 0, done.stderr
    assert f"scripts/{name}.py" in done.stdout
    assert "xample" in done.stdout


DOWN: dict[str, tuple[str, ...]] = {
    "check_agent_status": (),
    "list_workers": (),
    "rooms": ("list",),
    "calls": ("list",),
    "call_queue": ("run", "people.csv"),
    "webhooks": ("list",),
    "dispatch": ("kitchen",),
    "hangup": ("--all",),
    "watch_room": ("kitchen",),
    "lines": ("diff",),
    "status": (),
    "logs": ("--call", "nothing"),
    "load_test": ("--calls", "1", "--turns", "0"),
    "deploy_agent": (),
    "test_call": ("--greeting-only", "--no-transcribe"),
    "test_agents": (str(SCENARIOS), "--spoken", "--no-judge"),
    "make_call": ("+15105550123",),
    "sanity_check": ("--quick",),
}
# They have more to say than that the stack is down.
REPORTS = {"status", "test_call", "load_test", "sanity_check"}
# They change files and machines, or start and end the stack: none has to be asked.
NEED_NO_STACK = {
    "add_carrier", "airgap", "backup", "cloud_init", "down", "mint_token", "new_agent", "phones",
    "restore", "setup", "show_ports", "up", "upgrade",
}  # fmt: skip


def test_every_script_is_asked_without_a_stack_or_needs_none() -> None:
    """A new one is put into one of the two tables."""
    assert sorted([*DOWN, *NEED_NO_STACK]) == SCRIPTS


@pytest.mark.parametrize("name", DOWN)
async def test_a_stack_that_is_down_is_said(environ: dict[str, str], name: str) -> None:
    """An error with a hint, exit 1, and soon."""
    from voicestack import credentials, settings

    state = Path(environ["STATE_DIR"]).parent / "down"
    down = {**environ, "STACK_PORT_BASE": str(ports.free_base()), "STATE_DIR": str(state)}
    credentials.ensure(settings.load(state.parent, environ=down))
    started = time.monotonic()
    done = await script(down, name, *DOWN[name])
    took_s = time.monotonic() - started
    print(f"\n{name:20} {took_s:.1f} s", end=" ")
    assert done.returncode == 1, done.stdout + done.stderr
    assert took_s < DOWN_S
    if name not in REPORTS:
        assert "error:" in done.stderr
        assert "hint:" in done.stderr


async def test_status_of_calls_workers_and_lines(stack: Stack, environ: dict[str, str]) -> None:
    """A call on each of two numbers, each with its own agent, by one worker."""
    assert [each["name"] for each in (await told(environ, "status"))["services"]]
    async with a_call(stack), a_call(stack, "+15550110"):
        status = await told(environ, "check_agent_status")
        (worker,) = (await told(environ, "list_workers"))["workers"]
        text = (await script(environ, "check_agent_status")).stdout
    calls = {call["number"]: call for call in status["calls"]}
    assert {number: call["agent"] for number, call in calls.items()} == {
        "+15550100": "receptionist",
        "+15550110": "sales",
    }
    assert {call["state"] for call in calls.values()} == {"active"}
    assert (status["capacity"], status["free"], worker["calls"]) == (2, 0, 2)
    assert max(map(len, text.splitlines())) <= 80
    assert "+15550110" in text
    assert (await told(environ, "lines", "diff"))["changes"] == []
    assert len((await told(environ, "lines", "show"))["lines"]) == 2


async def test_whatever_is_asked_of_a_running_stack(
    stack: Stack, environ: dict[str, str], tmp_path: Path
) -> None:
    """One JSON object each, exit 0."""
    kept = str(tmp_path / "kept")
    asked = (
        ("webhooks", "list"), ("phones", "list"), ("deploy_agent", "--status"),
        ("setup", "--check"), ("calls", "list"), ("backup", kept),
        ("mint_token", "--room", "hall", "--identity", "ada"),
        ("test_call", "--greeting-only", "--no-transcribe"),
    )  # fmt: skip
    answers = {command[0]: await told(environ, *command) for command in asked}
    assert all(isinstance(each, dict) for each in answers.values())
    assert answers["mint_token"]["room"] == "hall"
    assert answers["backup"]["file"] == kept
    rules = await script(environ, "show_ports", "--format", "json")
    assert (rules.returncode, "rules" in json.loads(rules.stdout)) == (0, True)


async def test_rooms(stack: Stack, environ: dict[str, str]) -> None:
    """Made, listed, described, closed; what is not there is said."""
    await told(environ, "rooms", "create", "kitchen")
    assert "kitchen" in {r["name"] for r in (await told(environ, "rooms", "list"))["rooms"]}
    changed = await told(environ, "rooms", "metadata", "kitchen", "hot")
    assert changed["room"]["metadata"] == "hot"
    assert (await told(environ, "rooms", "show", "kitchen"))["participants"] == []
    assert (await told(environ, "rooms", "send", "kitchen", "hello"))["sent_bytes"] == 5
    await told(environ, "rooms", "delete", "kitchen")
    for verb in ("show", "delete", "participants"):
        done = await script(environ, "rooms", verb, "kitchen")
        assert (done.returncode, "hint:" in done.stderr) == (1, True)


async def test_a_caller_is_muted_and_removed(stack: Stack, environ: dict[str, str]) -> None:
    """The phone hears that its call has ended."""
    async with a_call(stack) as call:
        room = await room_of_the_call(environ)
        people = (await told(environ, "rooms", "participants", room))["participants"]
        (caller,) = [each["identity"] for each in people if each["kind"] == "SIP"]
        assert (await told(environ, "rooms", "mute", room, caller))["muted"] is True
        assert (await told(environ, "rooms", "mute", room, caller, "--off"))["muted"] is False
        await told(environ, "rooms", "remove", room, caller)
        async with asyncio.timeout(UNTOLD_S):
            await call.ended.wait()
        assert (await script(environ, "rooms", "remove", room, "nobody")).returncode == 1


async def test_an_agent_is_sent_into_a_room(stack: Stack, environ: dict[str, str]) -> None:
    """It is there within seconds; one that nobody hosts is not, and that is said."""
    came = await told(environ, "dispatch", "kitchen", "--agent", "support", "--wait-s", "30")
    assert came["came"] is True
    missing = ["--agent", "nobody", "--worker", "nobody", "--wait-s", "0.5"]
    assert (await told(environ, "dispatch", "hall", *missing, code=1))["came"] is False
    bad = await script(environ, "dispatch", "hall", "--metadata", "[1]")
    assert (bad.returncode, "hint:" in bad.stderr) == (2, True)
    for room in ("kitchen", "hall"):
        await told(environ, "rooms", "delete", room)


@contextlib.asynccontextmanager
async def watcher(
    environ: Mapping[str, str], room: str
) -> AsyncIterator[Callable[..., Awaitable[list[dict[str, Any]]]]]:
    """Somebody watches the room; the function gives what he sees up to an event with a text."""
    command = (sys.executable, str(world.ROOT / "scripts/watch_room.py"), room, "--json")
    folder = Path(environ["LINES_FILE"]).parent
    process = await asyncio.create_subprocess_exec(
        *command, env=environ, cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    lines = process.stdout

    async def until(name: str, text: str = "") -> list[dict[str, Any]]:
        seen: list[dict[str, Any]] = []
        async with asyncio.timeout(LIMIT_S):
            while True:
                seen.append(json.loads(await lines.readline()))
                if seen[-1]["event"] == name and text in seen[-1].get("text", ""):
                    return seen

    try:
        yield until
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_room_is_watched(
    stack: Stack, environ: dict[str, str], utterances: list[Utterance]
) -> None:
    """Captions of the agent's words, nobody sees the watcher, and it ends with the call."""
    async with a_call(stack) as call:
        room = await room_of_the_call(environ)
        async with watcher(environ, room) as seen_until:
            events = await seen_until("watching")
            await call.say(utterances[0].path)
            events += await seen_until("said", fakes.REPLY)
            people = (await told(environ, "rooms", "participants", room))["participants"]
            await told(environ, "hangup", room)
            events += await seen_until("closed")
    assert {"watching", "present", "said", "closed"} <= {each["event"] for each in events}
    visible = [each for each in people if not each.get("permission", {}).get("hidden")]
    assert len(visible) == 2


async def test_a_call_is_hung_up_and_told_of(stack: Stack, environ: dict[str, str]) -> None:
    """The phone hears BYE; history and logs know the call."""
    async with a_call(stack) as call:
        room = await room_of_the_call(environ)
        assert room in (await told(environ, "hangup", "--all"))["ended"]
        async with asyncio.timeout(UNTOLD_S):
            await call.ended.wait()
    newest = (await told(environ, "calls", "list", "--limit", "1"))["calls"][0]
    assert (newest["room"], newest["agent"]) == (room, "receptionist")
    shown = await told(environ, "calls", "show", newest["call"])
    assert shown["result"] == "answered"
    lines = (await told(environ, "logs", "--call", newest["call"]))["lines"]
    assert {"livekit", "sip", "control", "agent"} <= {each["service"] for each in lines}
    assert lines == sorted(lines, key=lambda each: each["at"])
    assert (await script(environ, "hangup", room)).returncode == 1
    assert (await script(environ, "hangup")).returncode == 2


async def test_a_load_test_names_the_first_limit(
    stack: Stack, environ: dict[str, str], utterances: list[Utterance]
) -> None:
    """Two calls go well; of three on two lines one hears busy, and the report says so."""
    speech = ("--speech", str(utterances[0].path), "--turns", "1")
    three = await told(environ, "load_test", "--calls", "3", "--ramp-s", "0.3", *speech, code=1)
    assert (three["calls"], three["outcomes"]["refused"]) == (3, 1)
    assert "486" in three["first_limit"]
    assert three["turn_ms"]["p50"] > 0


async def test_logs_end(stack: Stack, environ: dict[str, str]) -> None:
    """The last lines of one service."""
    done = await script(environ, "logs", "control", "--lines", "3")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3)


async def test_a_watch_goes_on_until_ctrl_c(stack: Stack, environ: dict[str, str]) -> None:
    """One object a line, exit 0."""
    command = [sys.executable, str(world.ROOT / "scripts/list_workers.py"), "--watch", "--json"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, env=environ, cwd=Path(environ["LINES_FILE"]).parent
    )
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT_S):
        seen = [json.loads(await process.stdout.readline()) for _ in range(2)]
        process.send_signal(2)
        assert await process.wait() == 0
    assert all(each["workers"] for each in seen)


async def test_one_command_has_every_verb(environ: dict[str, str]) -> None:
    """`voicestack` knows what scripts/ has."""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "voicestack.cli.main", "--help"],
        capture_output=True, text=True, check=True, env=environ, cwd=world.ROOT,
    )  # fmt: skip
    for name in SCRIPTS:
        if name not in {"setup", "backup", "restore", "show_ports", "sanity_check"}:
            assert name.replace("_", "-") in done.stdout, name

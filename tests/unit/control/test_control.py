"""control as a process, between a real livekit-server, a lines file and an operator."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from livekit import api
from tests.servers import KEY, SECRET, Servers, binary, servers
from tests.unit.control.receiver import Receiver, listening
from tests.unit.lines.test_lines_calls import CALLER, call, room_of

from control.keeper import RECONCILE_S
from voicestack import credentials
from voicestack.lines.apply import switchboard

ROOT = Path(__file__).parents[3]
LINES = """\
version: 1
lines:
  - {number: "+15550100", callers: {from: [this-machine]}}
"""
MORE = LINES + '  - {number: "+15550101", callers: {from: [this-machine]}}\n'


@dataclass
class Control:
    """The process and its world."""

    root: Path
    stack: Servers
    client: httpx.AsyncClient
    process: subprocess.Popen[bytes] | None = None
    more: dict[str, str] = field(default_factory=dict)  # settings

    @property
    def lines(self) -> Path:
        return self.root / "sip/lines.yaml"

    def start(self) -> None:
        environ = {
            "PATH": os.environ["PATH"],
            "STACK_PORT_BASE": str(self.stack.ports["livekit_http"]),
            **self.more,
        }
        with (self.root / "control.log").open("ab") as log:
            command = [sys.executable, "-m", "control"]
            self.process = subprocess.Popen(command, cwd=self.root, env=environ, stderr=log)

    def logs(self, phrase: str) -> list[dict[str, Any]]:
        lines = (self.root / "control.log").read_text().splitlines()
        return [each for each in map(json.loads, lines) if each["event"] == phrase]

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        try:
            answer = await self.client.get(path)
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()

    async def apply(self, secret: str = SECRET) -> httpx.Response:
        headers = {"Authorization": f"Bearer {secret}"}
        return await self.client.post("/lines/apply", headers=headers)

    async def numbers(self) -> list[str]:
        async with switchboard(self.stack.url, KEY, SECRET) as board:
            return sorted(trunk.numbers[0] for trunk in (await board.look()).trunks)

    async def ready(self) -> None:
        await eventually(lambda: self.get("/ready"), lambda got: got[0] == 200)


async def eventually(look: Callable[[], Any], fits: Callable[[Any], bool]) -> Any:
    """Look until it fits: another process tells of its changes only when asked."""
    seen = None
    try:
        async with asyncio.timeout(30):
            while not fits(seen := await look()):
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"still {seen}")
    return seen


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[Control]:
    if not binary("livekit-server").exists():
        pytest.skip("livekit-server is not built yet: make setup")
    secrets = tmp_path / ".state/secrets"
    secrets.mkdir(parents=True, mode=0o700)
    for name in credentials.NAMES:
        (secrets / name).write_text(KEY if name == "livekit_api_key" else SECRET)
        (secrets / name).chmod(0o600)
    with servers(tmp_path) as stack:
        url = f"http://127.0.0.1:{stack.ports['control']}"
        async with httpx.AsyncClient(base_url=url) as client:
            made = Control(tmp_path, stack, client)
            made.lines.parent.mkdir()
            made.lines.write_text(LINES)
            yield made
            if made.process is not None:
                made.process.kill()
                made.process.wait()


@pytest.fixture
async def running(control: Control) -> Control:
    control.stack.start_redis()
    control.stack.start_livekit()
    control.start()
    await control.ready()
    return control


async def test_it_waits_for_livekit(control: Control) -> None:
    """Started first: alive, not ready and saying why; then the lines are there."""
    control.start()
    await eventually(lambda: control.get("/health"), lambda got: got == (200, {"alive": True}))
    status, body = await control.get("/ready")
    assert status == 503
    assert body["missing"]
    control.stack.start_redis()
    control.stack.start_livekit()
    await control.ready()
    assert await control.numbers() == ["+15550100"]


async def test_it_stops_at_once(running: Control) -> None:
    """SIGTERM: within two seconds, exit 0, no stack trace."""
    assert running.process is not None
    started = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(running.process.wait, 10) == 0
    assert time.monotonic() - started < 2
    assert running.logs("control stopping")
    assert "Traceback" not in (running.root / "control.log").read_text()


async def test_a_change_of_the_file_is_applied(running: Control) -> None:
    """Written in place or replaced by a rename, as editors do."""
    running.lines.write_text(MORE)
    await eventually(running.numbers, lambda got: got == ["+15550100", "+15550101"])
    beside = running.lines.with_name("new")
    beside.write_text(LINES)
    beside.replace(running.lines)
    await eventually(running.numbers, lambda got: got == ["+15550100"])


async def test_a_bad_file_changes_nothing(running: Control) -> None:
    """The last good lines stay, the faults are shown, and a good file heals it."""
    running.lines.write_text(MORE + "  - {number: 3}\n")

    def is_bad(got: tuple[int, dict[str, Any]]) -> bool:
        return got[1].get("lines_file") == "bad"

    status, body = await eventually(lambda: running.get("/ready"), is_bad)
    assert status == 200
    assert "lines.yaml:5" in body["faults"][0]
    answer = await running.apply()
    assert answer.status_code == 422
    assert await running.numbers() == ["+15550100"]
    logged = {(each["where"], each["key"]) for each in running.logs("lines file is bad")}
    assert logged == {("lines.yaml:5", "number"), ("lines.yaml:5", "callers")}
    running.lines.unlink()
    assert (await running.apply()).status_code == 422
    assert await running.numbers() == ["+15550100"]
    running.lines.write_text(MORE)
    await eventually(running.numbers, lambda got: len(got) == 2)


async def test_a_bad_file_at_the_start_is_not_ready(control: Control) -> None:
    """Nothing is applied, nothing of an earlier run is removed, and it says what is wrong."""
    control.stack.start_redis()
    control.stack.start_livekit()
    control.lines.write_text("version: 1\n")
    control.start()
    status, body = await eventually(lambda: control.get("/ready"), lambda got: bool(got[1]))
    assert (status, body["lines_file"]) == (503, "bad")
    assert (await control.apply()).status_code == 422
    control.lines.write_text(LINES)
    await control.ready()


async def test_only_who_knows_the_secret_may_apply(running: Control) -> None:
    """401 without, with a wrong one, with another scheme; GET is no way in."""
    assert (await running.apply("wrong")).status_code == 401
    assert (await running.client.post("/lines/apply")).status_code == 401
    basic = {"Authorization": f"Basic {SECRET}"}
    assert (await running.client.post("/lines/apply", headers=basic)).status_code == 401
    assert (await running.client.get("/lines/apply")).status_code == 405
    assert (await running.apply()).json() == {"changes": []}


async def test_a_server_that_goes_is_noticed_and_its_return_too(running: Control) -> None:
    """Not ready while livekit is away; ready again without help."""
    running.stack.stop("livekit-server")
    assert (await running.apply()).status_code == 503
    assert (await running.get("/ready"))[0] == 503
    running.stack.start_livekit()
    await running.ready()


async def test_lines_that_redis_lost_are_back_within_30_s(running: Control) -> None:
    """FLUSHALL: reconciled without anybody asking."""
    assert RECONCILE_S <= 10
    started = time.monotonic()
    running.stack.forget_everything()

    async def restored() -> int:
        return len(running.logs("line changed"))

    await eventually(restored, lambda steps: steps == 4)  # twice a trunk and a rule
    assert await running.numbers() == ["+15550100"]
    assert time.monotonic() - started < 30


async def test_calls_are_logged_as_they_come_and_go(running: Control) -> None:
    """Webhooks of the real server: signed, taken, and no number in the log."""
    if not binary("livekit-sip").exists():
        pytest.skip("livekit-sip is not built yet: make setup")
    running.stack.start_sip()

    def logged(phrase: str) -> Callable[[], Any]:
        async def look() -> list[dict[str, Any]]:
            return running.logs(phrase)

        return look

    async with api.LiveKitAPI(running.stack.url, KEY, SECRET) as client:
        with call(running.stack, "+15550100"):
            room, _ = await room_of(client, "+15550100")
            (start,) = await eventually(logged("call started"), bool)
            await client.room.delete_room(api.DeleteRoomRequest(room=room))
            (end,) = await eventually(logged("call ended"), bool)
    assert (start["room"], start["caller"]) == (room, CALLER[-2:])
    assert (end["room"], end["caller"]) == (room, CALLER[-2:])
    assert CALLER[-4:] not in json.dumps([start, end]).replace(room, "")
    assert running.logs("webhook refused") == []


async def test_events_reach_a_receiver_that_was_down(control: Control) -> None:
    """A real call while nobody listens; control dies and comes back; then they arrive, once."""
    if not binary("livekit-sip").exists():
        pytest.skip("livekit-sip is not built yet: make setup")
    receiver = Receiver()
    async with listening(receiver):
        pass  # its port is known; nobody listens there now
    control.more = {"WEBHOOK_URLS": receiver.url}
    for start in (control.stack.start_redis, control.stack.start_livekit, control.stack.start_sip):
        start()
    control.start()
    await control.ready()
    control.client.headers["authorization"] = f"Bearer {SECRET}"

    async def waiting() -> list[str]:
        listed = (await control.get("/webhooks"))[1].get("deliveries", [])
        return sorted(each["kind"] for each in listed)

    async with api.LiveKitAPI(control.stack.url, KEY, SECRET) as client:
        with call(control.stack, "+15550100"):
            room, _ = await room_of(client, "+15550100")
            await eventually(waiting, lambda kinds: kinds == ["call.started"])
            await client.room.delete_room(api.DeleteRoomRequest(room=room))
    await eventually(waiting, lambda kinds: kinds == ["call.ended", "call.started"])
    assert control.process is not None
    control.process.kill()
    control.process.wait()
    control.start()
    await control.ready()
    assert await waiting() == ["call.ended", "call.started"]
    async with listening(receiver):
        assert (await control.client.post("/webhooks/replay")).json() == {"again": 2}
        await eventually(waiting, lambda kinds: kinds == [])
    bodies = [json.loads(body) for _, body in receiver.got]
    assert sorted(each["type"] for each in bodies) == ["call.ended", "call.started"]
    assert len(set(receiver.ids)) == 2
    assert {each["data"]["caller"] for each in bodies} == {""}  # the line hides numbers
    assert bodies[-1]["data"]["result"] == "gave up"
    assert CALLER[1:] not in (control.root / "control.log").read_text()


async def test_a_taken_port_says_so(control: Control) -> None:
    """Exit 2 with the way out, not a stack trace."""
    with contextlib.closing(socket.create_server(("127.0.0.1", control.stack.ports["control"]))):
        control.start()
        assert control.process is not None
        assert await asyncio.to_thread(control.process.wait, 20) == 2
    text = (control.root / "control.log").read_text()
    assert "cannot be had" in text
    assert "STACK_PORT_BASE" in text


async def test_missing_secrets_say_so(control: Control) -> None:
    """Started by hand before `make up`."""
    (control.root / ".state/secrets/livekit_api_secret").unlink()
    control.start()
    assert control.process is not None
    assert await asyncio.to_thread(control.process.wait, 20) == 2
    assert "livekit_api_secret is missing" in (control.root / "control.log").read_text()


async def test_it_listens_on_loopback_only(running: Control) -> None:
    """Every other address of this machine refuses."""
    for address in ("127.0.0.2", socket.gethostbyname(socket.gethostname())):
        if address != "127.0.0.1":
            with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
                socket.create_connection((address, running.stack.ports["control"]), timeout=2)

"""Faults: each breaks one thing of a running stack, and mends it at the end of its block."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from pathlib import Path

import aiohttp
import psutil
from livekit import api
from livekit.protocol.agent import JobType, RegisterWorkerRequest, WorkerMessage
from livekit.protocol.sip import (
    CreateSIPDispatchRuleRequest,
    DeleteSIPDispatchRuleRequest,
    DeleteSIPTrunkRequest,
    ListSIPDispatchRuleRequest,
    ListSIPInboundTrunkRequest,
    SIPDispatchRule,
    SIPDispatchRuleDirect,
    SIPDispatchRuleInfo,
    SIPInboundTrunkInfo,
)

from tests.calls import world
from tests.diagnosis.patient import Patient, only
from voicestack import credentials
from voicestack.native.supervisor import Supervisor
from voicestack.phone import Call, Phone, PhoneError

# Answered calls ring for a second or two; one whose job was given to nobody rings on.
RING_S = 5.0
# What control and the worker put right by themselves shows in these alone.
LINES, WORKER = only("lines file", "clock", "server", "lines", "worker"), only("worker")

Fault = Callable[[Patient], contextlib.AbstractAsyncContextManager[None]]


# -- Redis


def redis_config(name: str, value: str, *, mended: str) -> Fault:
    """CONFIG SET, and back, over a connection that was there before."""

    @contextlib.asynccontextmanager
    async def broken(patient: Patient) -> AsyncIterator[None]:
        secret = credentials.read(patient.stack.settings).redis_password
        with redis_connection(patient, secret) as tell:
            tell("CONFIG", "SET", name, value)
            try:
                yield
            finally:
                tell("CONFIG", "SET", name, secret if mended == "the password" else mended)

    return broken


@contextlib.contextmanager
def redis_connection(patient: Patient, secret: str) -> Iterator[Callable[..., bytes]]:
    """RESP by hand: one connection that outlives what it breaks."""
    with socket.create_connection(("127.0.0.1", patient.stack.ports["redis"]), 5) as connection:

        def tell(*words: str) -> bytes:
            parts = [f"*{len(words)}", *(p for word in words for p in (f"${len(word)}", word))]
            connection.sendall(("\r\n".join(parts) + "\r\n").encode())
            answer = connection.recv(256)
            assert not answer.startswith(b"-"), answer
            return answer

        tell("AUTH", secret)
        yield tell


@contextlib.asynccontextmanager
async def redis_replica(patient: Patient) -> AsyncIterator[None]:
    """REPLICAOF somebody who is not there: read-only until it is undone."""
    patient.redis("replicaof", "127.0.0.1", "1")
    try:
        yield
    finally:
        patient.redis("replicaof", "no", "one")


@contextlib.asynccontextmanager
async def redis_paused(patient: Patient) -> AsyncIterator[None]:
    """CLIENT PAUSE: connections are taken, commands wait."""
    patient.redis("client", "pause", "5000", "all")
    yield
    await asyncio.to_thread(patient.redis, "ping")  # answered when the pause is over


# -- processes


def frozen(service: str) -> Fault:
    """SIGSTOP: the process is there and does nothing."""

    @contextlib.asynccontextmanager
    async def broken(patient: Patient) -> AsyncIterator[None]:
        pid = patient.pid(service)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    return broken


@contextlib.asynccontextmanager
async def engine_frozen(patient: Patient) -> AsyncIterator[None]:
    """The speech engine, a child of the worker, is stopped in its tracks."""
    worker = psutil.Process(patient.pid("agent"))
    (engine,) = (
        child
        for child in worker.children(recursive=True)
        if "faster_whisper_engine" in " ".join(child.cmdline())
    )
    engine.suspend()
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            engine.resume()


@contextlib.asynccontextmanager
async def engine_unreachable(patient: Patient) -> AsyncIterator[None]:
    """The engine's socket is gone, as when it could not be started."""
    (path,) = patient.stack.paths.short.glob("faster-whisper-*/engine.sock")
    hidden = path.with_suffix(".hidden")
    path.rename(hidden)
    try:
        yield
    finally:
        hidden.rename(path)


def stopped(service: str) -> Fault:
    """Stopped through the supervisor, so that nothing starts it again."""

    @contextlib.asynccontextmanager
    async def broken(patient: Patient) -> AsyncIterator[None]:
        with Supervisor(patient.stack.paths) as supervisor:
            await asyncio.to_thread(stop_service, supervisor, service)
            try:
                yield
            finally:
                supervisor.start_service(service)
                await asyncio.to_thread(patient.up)

    return broken


def stop_service(supervisor: Supervisor, service: str) -> None:
    supervisor._client.patch(f"/process/stop/{service}", timeout=30).raise_for_status()


@contextlib.asynccontextmanager
async def port_taken(patient: Patient) -> AsyncIterator[None]:
    """Caddy is down, and somebody else has its port."""
    async with stopped("caddy")(patient):
        command = ["python3", "-m", "http.server", str(patient.stack.ports["https"])]
        stranger = subprocess.Popen(  # noqa: ASYNC220 - gone in a moment
            [*command, "--bind", "127.0.0.1"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.environ["PATH"]},
        )
        try:
            await until_listening(patient.stack.ports["https"])
            yield
        finally:
            stranger.kill()
            stranger.wait()


async def until_listening(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


# -- files


def edited(find: Callable[[Patient], Path], change: Callable[[str], str]) -> Fault:
    """The text of a file changed, mode and name the same."""

    @contextlib.asynccontextmanager
    async def broken(patient: Patient) -> AsyncIterator[None]:
        path = find(patient)
        before, mode = path.read_text(), path.stat().st_mode & 0o7777
        path.write_text(change(before))
        try:
            yield
        finally:
            path.write_text(before)
            path.chmod(mode)

    return broken


def mode(find: Callable[[Patient], Path], bits: int) -> Fault:
    """The permissions of a file or folder."""

    @contextlib.asynccontextmanager
    async def broken(patient: Patient) -> AsyncIterator[None]:
        path = find(patient)
        before = path.stat().st_mode & 0o7777
        path.chmod(bits)
        try:
            yield
        finally:
            path.chmod(before)

    return broken


def removed(find: Callable[[Patient], Path]) -> Fault:
    """The file is gone."""

    @contextlib.asynccontextmanager
    async def broken(patient: Patient) -> AsyncIterator[None]:
        path = find(patient)
        aside = path.with_name(f".{path.name}.aside")
        path.rename(aside)
        try:
            yield
        finally:
            aside.rename(path)

    return broken


def secret(name: str) -> Callable[[Patient], Path]:
    """One of the secrets."""
    return lambda patient: patient.stack.paths.secrets / name


def config(name: str) -> Callable[[Patient], Path]:
    """One of the rendered configurations."""
    return lambda patient: patient.stack.paths.config / name


def setting(**values: str) -> Fault:
    """.env was changed after the start."""

    @contextlib.asynccontextmanager
    async def broken(patient: Patient) -> AsyncIterator[None]:
        patient.changed = values
        try:
            yield
        finally:
            patient.changed = {}

    return broken


def env_file(text: str) -> Fault:
    """A .env beside the stack's own settings."""

    @contextlib.asynccontextmanager
    async def broken(patient: Patient) -> AsyncIterator[None]:
        path = patient.folder / ".env"
        path.write_text(text)
        try:
            yield
        finally:
            path.unlink()

    return broken


@contextlib.asynccontextmanager
async def program_missing(patient: Patient) -> AsyncIterator[None]:
    """A cache in which one program is not there."""
    real = patient.stack.paths.cache
    cache = patient.folder / "poor-cache"
    (cache / "bin").mkdir(parents=True)
    for program in (real / "bin").iterdir():
        if program.name != "caddy":
            (cache / "bin" / program.name).symlink_to(program)
    (cache / "models").symlink_to(real / "models")
    async with setting(VOICESTACK_CACHE=str(cache))(patient):
        yield
    for link in (*(cache / "bin").iterdir(), cache / "models"):
        link.unlink()
    (cache / "bin").rmdir()
    cache.rmdir()


# -- lines


def another_hour() -> str:
    """Hours that this machine is not in."""
    hour = (datetime.now().hour + 12) % 24
    return f"Mon-Sun {hour:02}:00-{hour:02}:05"


def lines_file(change: Callable[[str], str]) -> Fault:
    """The lines file is changed; control reads it within moments."""
    return edited(lambda patient: patient.stack.settings.lines_file, change)


def client(patient: Patient) -> api.LiveKitAPI:
    held = credentials.read(patient.stack.settings)
    url = f"http://127.0.0.1:{patient.stack.ports['livekit_http']}"
    return api.LiveKitAPI(url, held.livekit_api_key, held.livekit_api_secret)


async def control_has_looked(patient: Patient) -> None:
    """Wake control and wait for its round: the next one is ten seconds away."""
    seen = world.log_text(patient.stack, "livekit").count("API SIP.ListSIPDispatchRule")
    patient.stack.settings.lines_file.touch()
    async with asyncio.timeout(30):
        while world.log_text(patient.stack, "livekit").count("API SIP.ListSIPDispatchRule") == seen:
            await asyncio.sleep(0.05)


async def lines_are_right(patient: Patient) -> None:
    """Wait until control has put everything back."""
    async with asyncio.timeout(60):
        while await patient.codes(LINES):
            patient.stack.settings.lines_file.touch()
            await asyncio.sleep(0.3)


def mended_by_control(fault: Fault) -> Fault:
    """Control puts it right by itself; the next fault waits for that."""

    @contextlib.asynccontextmanager
    async def broken(patient: Patient) -> AsyncIterator[None]:
        try:
            async with fault(patient):
                yield
        finally:
            await lines_are_right(patient)

    return broken


async def our_trunk(livekit: api.LiveKitAPI) -> SIPInboundTrunkInfo:
    """The trunk of the number that tests call."""
    trunks = await livekit.sip.list_inbound_trunk(ListSIPInboundTrunkRequest())
    (trunk,) = (each for each in trunks.items if world.NUMBER in each.numbers)
    return trunk


@mended_by_control
@contextlib.asynccontextmanager
async def trunk_deleted(patient: Patient) -> AsyncIterator[None]:
    """A trunk of ours is gone from LiveKit."""
    await control_has_looked(patient)
    async with client(patient) as livekit:
        trunk = await our_trunk(livekit)
        await livekit.sip.delete_trunk(DeleteSIPTrunkRequest(sip_trunk_id=trunk.sip_trunk_id))
        yield


@mended_by_control
@contextlib.asynccontextmanager
async def rule_deleted(patient: Patient) -> AsyncIterator[None]:
    """A rule of ours is gone from LiveKit."""
    await control_has_looked(patient)
    async with client(patient) as livekit:
        rules = await livekit.sip.list_dispatch_rule(ListSIPDispatchRuleRequest())
        (rule,) = (each for each in rules.items if each.name.endswith(world.NUMBER))
        await livekit.sip.delete_dispatch_rule(
            DeleteSIPDispatchRuleRequest(sip_dispatch_rule_id=rule.sip_dispatch_rule_id)
        )
        yield


def trunk_changed(**fields: object) -> Fault:
    """Somebody edits our trunk with another tool."""

    @mended_by_control
    @contextlib.asynccontextmanager
    async def broken(patient: Patient) -> AsyncIterator[None]:
        await control_has_looked(patient)
        async with client(patient) as livekit:
            trunk = await our_trunk(livekit)
            await livekit.sip.update_inbound_trunk_fields(trunk.sip_trunk_id, **fields)  # type: ignore[arg-type]
            yield

    return broken


def foreign_rule(*, bound: bool) -> Fault:
    """A dispatch rule of another tool: on one of our trunks, or on none at all."""

    @mended_by_control
    @contextlib.asynccontextmanager
    async def broken(patient: Patient) -> AsyncIterator[None]:
        async with client(patient) as livekit:
            trunk = await our_trunk(livekit)
            rule = SIPDispatchRuleInfo(
                name="of somebody else",
                rule=SIPDispatchRule(
                    dispatch_rule_direct=SIPDispatchRuleDirect(room_name="theirs", pin="4711")
                ),
                trunk_ids=[trunk.sip_trunk_id] if bound else [],
            )
            made = await livekit.sip.create_dispatch_rule(
                CreateSIPDispatchRuleRequest(dispatch_rule=rule)
            )
            try:
                yield
            finally:
                await livekit.sip.delete_dispatch_rule(
                    DeleteSIPDispatchRuleRequest(sip_dispatch_rule_id=made.sip_dispatch_rule_id)
                )

    return broken


def line_asks_for(text: str) -> Fault:
    """A line of the file asks for another agent or worker; control applies it."""

    @mended_by_control
    @contextlib.asynccontextmanager
    async def broken(patient: Patient) -> AsyncIterator[None]:
        change = lines_file(lambda before: before.replace("agent: receptionist", text, 1))
        async with change(patient):
            await control_has_looked(patient)
            yield

    return broken


# -- worker


@contextlib.asynccontextmanager
async def rival_worker(patient: Patient) -> AsyncIterator[None]:
    """Somebody else registers under our agent's name with our key (a laptop, mostly)."""
    held = credentials.read(patient.stack.settings)
    grants = api.VideoGrants(agent=True)
    token = api.AccessToken(held.livekit_api_key, held.livekit_api_secret).with_grants(grants)
    url = f"ws://127.0.0.1:{patient.stack.ports['livekit_http']}/agent"
    headers = {"Authorization": f"Bearer {token.to_jwt()}"}
    register = RegisterWorkerRequest(
        type=JobType.JT_ROOM, agent_name="receptionist", version="0", ping_interval=30
    )
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers) as ws:
        await ws.send_bytes(WorkerMessage(register=register).SerializeToString())
        await ws.receive_bytes(timeout=5)  # registered
        yield


@contextlib.asynccontextmanager
async def busy(patient: Patient) -> AsyncIterator[None]:
    """The one line of this stack is in use."""
    try:
        async with Phone() as phone:
            call = await until_answered(patient, phone)
            await call.first_audio(timeout_s=10)
            yield
    finally:
        async with asyncio.timeout(40):
            while await patient.codes(WORKER):
                await asyncio.sleep(0.3)


async def until_answered(patient: Patient, phone: Phone) -> Call:
    """Call again while the only line is still being put away."""
    async with asyncio.timeout(40):
        while True:
            try:
                server = world.server(patient.stack)
                return await phone.dial(world.NUMBER, server=server, ring_timeout_s=RING_S)
            except PhoneError:
                await asyncio.sleep(0.2)


# -- models and clock


def model(stage: str, how: str) -> Fault:
    """A model server answers wrongly, late or not at all."""

    @contextlib.asynccontextmanager
    async def broken(patient: Patient) -> AsyncIterator[None]:
        setattr(patient.models, stage, how)
        try:
            yield
        finally:
            setattr(patient.models, stage, "ok")

    return broken


def clock(shift_s: float) -> Fault:
    """The clock of the machine that looks is wrong."""

    @contextlib.asynccontextmanager
    async def broken(patient: Patient) -> AsyncIterator[None]:
        patient.shift_s = shift_s
        try:
            yield
        finally:
            patient.shift_s = 0.0

    return broken

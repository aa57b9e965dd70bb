"""Start, start again, lose the lines, stop."""

import asyncio
import ssl
import subprocess
from pathlib import Path

import httpx
import psutil
import pytest

from tests.calls import world
from tests.calls.test_heals import SERVICES, seconds_until_a_call_works
from tests.speech import Utterance
from voicestack import credentials
from voicestack.native import leftovers
from voicestack.native.supervisor import Supervisor
from voicestack.native.up import Stack

# The figures are 25 s and 30 s; bounds here leave room for a busy machine.
SECOND_UP_S = 120.0
RESTORED_S = 90.0


def test_up_while_up_changes_nothing(stack: Stack) -> None:
    """A second `make up` finds everything ready."""
    assert stack.up(lambda _: None) < SECOND_UP_S


async def test_lines_come_back_when_redis_forgets(
    stack: Stack, utterances: list[Utterance]
) -> None:
    """FLUSHALL takes every number away; control puts them back, and the phone works."""
    held = credentials.read(stack.settings)
    before = lines_changed(stack)
    subprocess.run(
        ["redis-cli", "-p", str(stack.ports["redis"]), "flushall"],
        env={"REDISCLI_AUTH": held.redis_password, "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
    )
    async with asyncio.timeout(RESTORED_S):
        while lines_changed(stack) == before:
            await asyncio.sleep(0.5)
    # Rooms are forgotten as well: a call of before may hold its line for some seconds.
    await seconds_until_a_call_works(stack, utterances[0])


def lines_changed(stack: Stack) -> int:
    """How often control has said that it changed something."""
    return world.log_text(stack, "control").count('"line changed"')


def test_nothing_listens_beyond_loopback(stack: Stack) -> None:
    """LISTEN=loopback: whoever is not on this machine finds no open port.

    Left out are sockets of calls in progress: livekit-sip binds RTP to every address (1.8.0), and
    WebRTC clients gather candidates on all interfaces.
    """
    pids = {process.pid for process in leftovers.find(stack.paths.state)}
    ours = {stack.ports[key] for key in stack.ports if key != "sip_rtp"}
    open_to = {
        (each.laddr.ip, each.laddr.port)
        for each in psutil.net_connections("inet")
        if each.pid in pids
        and (each.status == psutil.CONN_LISTEN or each.laddr.port in ours)
        and not each.raddr
    }
    assert open_to
    loopback = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    assert {place for place in open_to if place[0] not in loopback} == set()


def test_no_secret_in_processes(stack: Stack) -> None:
    """Neither the command line nor the environment of a service carries a secret."""
    held = credentials.read(stack.settings)
    with Supervisor(stack.paths) as supervisor:
        states = [state for state in supervisor.states() if state.pid]
    assert {state.name for state in states} >= set(SERVICES)
    services = [psutil.Process(state.pid) for state in states]
    # Job processes are left out: livekit-agents hands them the API secret in their environment
    # (worker.py, 1.8.9), which only this user and root can read.
    for process in services:
        text = " ".join(process.cmdline()) + str(process.environ())
        for secret in (
            held.livekit_api_secret,
            held.redis_password,
            held.control_secret,
            held.page_password,
        ):
            assert secret not in text, process.name()


async def test_the_page_answers_over_tls(stack: Stack) -> None:
    """Caddy speaks TLS with a certificate of its own authority."""
    url = f"https://localhost:{stack.ports['https']}/health"
    root = stack.paths.state / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=str(root))) as client:
        assert (await client.get(url)).status_code == 200


def test_down_leaves_nothing(tmp_path: Path, stack: Stack) -> None:
    """A second copy on other ports starts, and is gone after `down`; the first one stays."""
    with world.running(tmp_path) as other:
        assert leftovers.find(other.paths.state)
    assert leftovers.find(other.paths.state) == []
    assert not other.paths.short.exists()
    assert leftovers.find(stack.paths.state)


def test_a_crashed_supervisor_is_cleaned_up_after(tmp_path: Path) -> None:
    """SIGKILL to process-compose orphans the services; the next `up` starts afresh."""
    with world.running(tmp_path) as stack:
        psutil.Process(int((stack.paths.run / "supervisor.pid").read_text())).kill()
        orphans = {process.pid for process in leftovers.find(stack.paths.state)}
        stack.up(lambda _: None)
        now = {process.pid for process in leftovers.find(stack.paths.state)}
    assert now
    assert not now & orphans
    assert not any(map(psutil.pid_exists, orphans))


@pytest.mark.parametrize("name", ["livekit_api_secret", "redis_password"])
def test_secrets_survive_a_restart(stack: Stack, name: str) -> None:
    """Generated once, 0600, never overwritten."""
    file = stack.paths.secrets / name
    before = file.read_text()
    credentials.ensure(stack.settings)
    assert file.read_text() == before
    assert file.stat().st_mode & 0o777 == 0o600

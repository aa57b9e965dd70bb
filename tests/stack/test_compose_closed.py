"""What other hosts reach, and what a container could do if it were taken over."""

import contextlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.stack import scan
from tests.stack.world import SERVICES, STACK_IP, USER, World
from voicestack import ports, settings

ROOT = Path(__file__).resolve().parents[2]
# livekit-server keeps a caller whose "leave" was lost for 20 s (agent/voice_agent/occupancy.py).
CALLS_END_S = 40.0


def test_another_host_finds_the_documented_ports_and_no_other(stack: World) -> None:
    """All 65535 TCP ports are tried: Redis, API, models, health and metrics do not open.

    While a call is up its WebRTC listens on a port of the kernel's choice (docs/firewall.md): the
    calls of earlier tests may have to end first.
    """
    held = settings.load(stack.checkout)
    table = ports.resolve(held)
    documented = {
        table[port.key]
        for port in ports.TABLE
        if port.bind != "loopback" and "tcp" in port.proto and ports.in_use(port, held)
    }
    deadline = time.monotonic() + CALLS_END_S
    while (found := scanned(stack)) != documented and time.monotonic() < deadline:
        time.sleep(1)  # another host sees no event
    assert found == documented


def scanned(stack: World) -> set[int]:
    done = stack.on_phone(sys.executable, str(scan.__file__), STACK_IP)
    return set(json.loads(done.stdout))


def test_show_ports_agrees(stack: World) -> None:
    """`show_ports.py --check` on the stack's own host: TCP and UDP as the table says."""
    command = [sys.executable, str(ROOT / "scripts/show_ports.py"), "--check"]
    done = subprocess.run(
        ["nsenter", f"--net=/run/netns/{stack.stack_ns}", *command],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_may_do_little(stack: World, service: str) -> None:
    """No root, no capability, no file to write to but in its volumes; limits on what it takes."""
    found = stack.container(service)
    host, config = found["HostConfig"], found["Config"]
    assert config["User"] == f"{USER}:{USER}"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert not host["Privileged"]
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    assert host["RestartPolicy"]["Name"] == "always"
    assert host["LogConfig"]["Config"] == {"max-size": "20m", "max-file": "3"}
    assert not any("docker.sock" in mount["Source"] for mount in found["Mounts"])
    status = Path(f"/proc/{stack.pid(service)}/status").read_text()
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_in_sight(stack: World, service: str) -> None:
    """Neither in `docker inspect`, nor in the environment or command line of what runs.

    But for the agent's jobs: livekit-agents 1.8.9 hands them the API's secret so (worker.py, run).
    They run as the user who may read its file.
    """
    secrets = [value for name, value in stack.secrets().items() if name != "livekit_api_key"]
    assert len(secrets) >= 3
    first = psutil.Process(stack.pid(service))
    seen = [json.dumps(stack.container(service)), *told(first)]
    for process in first.children(recursive=service != "agent"):
        with contextlib.suppress(psutil.NoSuchProcess):  # a probe that has ended meanwhile
            seen += told(process)
    assert not [secret for secret in secrets if any(secret in text for text in seen)]


def told(process: psutil.Process) -> tuple[str, str]:
    """What everybody who may look sees of a process."""
    return json.dumps(process.environ()), " ".join(process.cmdline())


def test_caddy_holds_no_key(stack: World) -> None:
    """The one service that the world talks to: none of its files has a secret of the others."""
    secrets = stack.secrets().values()
    for mount in stack.container("caddy")["Mounts"]:
        files = [path for path in Path(mount["Source"]).rglob("*") if path.is_file()]
        assert not [each for each in files if any(s.encode() in each.read_bytes() for s in secrets)]


def test_digests_are_one_command_away(stack: World) -> None:
    """The command of docs/compose.md: a list for each image; those that are built have none."""
    document = (ROOT / "docs/compose.md").read_text()
    (command,) = re.findall(r"`(docker inspect [^`]+)`", document)
    done = subprocess.run(
        ["bash", "-ec", command], cwd=stack.checkout, env=stack.engine.environment,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 4
    assert set(done.stdout.splitlines()) == {"[]"}

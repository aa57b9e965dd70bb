"""A bare checkout brought up by Compose, and a phone on another host: two network namespaces."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers import CACHE
from tests.stack import images
from tests.stack.engine import ROOT, Engine, engine

STACK_IP, PHONE_IP = "10.203.0.1", "10.203.0.2"
NUMBER = "+15550100"
PROJECT = "voicestack"
MODELS = f"{PROJECT}_models"
USER = 10001  # compose.yaml, `user`
CALL_S = 60.0
RESTART_S = 30.0
SERVICES = ("redis", "livekit", "sip", "control", "llm", "tts", "agent", "caddy")


@dataclass
class World:
    """What the tests of a module share."""

    checkout: Path
    engine: Engine
    stack_ns: str
    phone_ns: str
    timings: dict[str, float] = field(default_factory=dict)

    def compose(self, *arguments: str) -> str:
        """`docker compose …` in the checkout."""
        file = self.checkout / "compose.yaml"
        return self.engine.docker("compose", "--file", str(file), *arguments)

    def up(self) -> float:
        """Bring everything up; the seconds it took."""
        started_s = time.monotonic()
        try:
            self.compose("up", "--detach", "--wait", "--quiet-pull")
        except AssertionError as error:
            error.add_note(self.compose("logs", "--tail", "20", "--no-color"))
            raise
        return time.monotonic() - started_s

    def container(self, service: str) -> dict[str, Any]:
        """What the engine knows of a service's container."""
        return self.engine.inspect(f"{PROJECT}-{service}-1")

    def pid(self, service: str) -> int:
        """The first process of a container, as this machine sees it."""
        return int(self.container(service)["State"]["Pid"])

    def kill(self, service: str) -> None:
        """End a container's first process as a crash would: `docker kill` counts as a wish."""
        os.kill(self.pid(service), signal.SIGKILL)

    def await_restart(self, service: str, before: int) -> None:
        """Wait until the engine has started a container once more."""
        deadline = time.monotonic() + RESTART_S
        while time.monotonic() < deadline:
            now = self.container(service)
            if now["RestartCount"] > before and now["State"]["Running"]:
                return
            time.sleep(0.1)  # a look is cheaper than a stream of events
        raise AssertionError(f"{service} was not started again within {RESTART_S:.0f} s")

    def secrets(self) -> dict[str, str]:
        """The generated secrets, read past the containers."""
        (volume,) = json.loads(self.engine.docker("volume", "inspect", f"{PROJECT}_secrets"))
        files = Path(volume["Mountpoint"]).iterdir()
        return {file.name: file.read_text() for file in files}

    def on_phone(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the other host."""
        return subprocess.run(
            ["nsenter", f"--net=/run/netns/{self.phone_ns}", *command],
            env={**os.environ, "STATE_DIR": str(self.checkout.parent / "phone")},
            capture_output=True, text=True, check=False, timeout=CALL_S, cwd=ROOT,
        )  # fmt: skip

    def call(self, *speech: Path) -> dict[str, Any]:
        """Call from the other host with the project's own script; its report."""
        words = [str(each) for each in speech] or ["--greeting-only"]
        command = [sys.executable, str(ROOT / "scripts/test_call.py"), *words]
        done = self.on_phone(*command, "--server", STACK_IP, "--no-transcribe", "--json")
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def answered_within(self, limit_s: float) -> float:
        """Call from the other host until the agent is heard; the seconds that it took."""
        words = (STACK_IP, PHONE_IP, str(limit_s))
        done = self.on_phone(sys.executable, "-m", "tests.stack.caller", *words)
        assert done.returncode == 0, f"{done.stdout} {done.stderr}"
        took_s = float(done.stdout)
        assert took_s < limit_s
        return took_s


@contextlib.contextmanager
def running(folder: Path) -> Iterator[World]:
    """Checkout, images, hosts, engine, stack; all but the images is gone afterwards."""
    checkout = bare_checkout(folder / "checkout")
    images.ensure(checkout)
    with hosts() as (stack_ns, phone_ns), engine(stack_ns) as runner:
        give_models(runner)
        world = World(checkout, runner, stack_ns, phone_ns)
        world.timings["up"] = world.up()
        yield world


def bare_checkout(target: Path) -> Path:
    """What git would hand out, and nothing else."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in listed.split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)
    return target


@contextlib.contextmanager
def hosts() -> Iterator[tuple[str, str]]:
    """Two hosts with one wire between them, and no way out."""
    stack, phone = f"vs-stack-{os.getpid()}", f"vs-phone-{os.getpid()}"
    try:
        _ip("netns", "add", stack)
        _ip("netns", "add", phone)
        _ip("link", "add", "lan0", "netns", stack, "type", "veth", "peer", "lan0", "netns", phone)
        for name, address in ((stack, STACK_IP), (phone, PHONE_IP)):
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "lan0")
            _ip("-n", name, "link", "set", "lan0", "up")
            _ip("-n", name, "link", "set", "lo", "up")
        # The interface of the default route gives the stack its address.
        _ip("-n", stack, "route", "add", "default", "via", PHONE_IP)
        yield stack, phone
    finally:
        for name in (stack, phone):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def give_models(runner: Engine) -> None:
    """Fill the volume of weights, and the page's client, as an earlier start would have."""
    runner.docker("volume", "create", MODELS)
    (volume,) = json.loads(runner.docker("volume", "inspect", MODELS))
    target = Path(volume["Mountpoint"])
    for name in ("models", "page"):
        shutil.copytree(CACHE / name, target / name, symlinks=True)
    for path in (target, *target.rglob("*")):
        os.chown(path, USER, USER, follow_symlinks=False)

"""A bare checkout brought up by Compose, and a phone on another host: two network namespaces."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.calls.elsewhere import DOMAIN, ETC, FAR_NAME, TURN_DOMAIN, Machines
from tests.servers import CACHE
from tests.stack import images
from tests.stack.engine import ROOT, Engine, engine
from voicestack.native.paths import Paths

STACK_IP, PHONE_IP = "10.203.0.1", "10.203.0.2"
NUMBER = "+15550100"
PROJECT = "voicestack"
MODELS = f"{PROJECT}_models"
USER = 10001  # compose.yaml, `user`
CALL_S, SCRIPT_S = 90.0, 600.0
# An engine without bridges builds on the host's network (build.yaml).
BUILD = {"COMPOSE_FILE": "compose.yaml:tests/stack/build.yaml"}
RESTART_S = 30.0
HOSTS = f"""127.0.0.1 localhost
{STACK_IP} {DOMAIN} {TURN_DOMAIN}
{PHONE_IP} {FAR_NAME}
"""
# What an operator writes for a name, a relay and SIP over TLS, and softphones that register.
MINE = "sip/mine.yaml"
PUBLIC = f"""\
DOMAIN={DOMAIN}
TURN_DOMAIN={TURN_DOMAIN}
LINES_FILE={MINE}
REGISTRAR=on
COMPOSE_PROFILES=registrar
SIP_TLS=on
"""
SERVICES = ("redis", "livekit", "sip", "control", "llm", "tts", "agent", "caddy")


@dataclass
class World:
    """What the tests of a module share."""

    checkout: Path
    engine: Engine
    stack_ns: str
    phone_ns: str
    timings: dict[str, float] = field(default_factory=dict)
    files: tuple[str, ...] = ("compose.yaml",)

    def compose(self, *arguments: str) -> str:
        """`docker compose …` in the checkout."""
        files = [word for name in self.files for word in ("--file", str(self.checkout / name))]
        return self.engine.docker("compose", *files, *arguments)

    def tools(self, *arguments: str) -> dict[str, Any]:
        """What a verb answers where all volumes are: docs/compose.md."""
        run = ("run", "--rm", "--no-deps", "-T", "--workdir", "/checkout", "setup", "voicestack")
        answer: dict[str, Any] = json.loads(self.compose(*run, *arguments, "--json"))
        return answer

    @property
    def machines(self) -> Machines:
        """Both hosts, as the tests of the page know them."""
        return Machines(self.stack_ns, self.phone_ns)

    @property
    def paths(self) -> Paths:
        """Where the page's tests look for secrets and for the authority: in the volumes."""
        state = self.checkout.parent / "state"
        state.mkdir(exist_ok=True)
        for name, volume in (("secrets", "secrets"), ("caddy", "caddy-data")):
            (state / name).unlink(missing_ok=True)
            (state / name).symlink_to(self.volume(volume))
        return Paths(self.checkout, state, CACHE)

    def up(self, *options: str) -> float:
        """Bring everything up; the seconds it took."""
        started_s = time.monotonic()
        try:
            self.compose("up", "--detach", "--wait", "--quiet-pull", *options)
        except AssertionError as error:
            error.add_note(self.state())
            raise
        return time.monotonic() - started_s

    def state(self) -> str:
        """What an engineer would look at first."""
        logs = self.compose("logs", "--tail", "8", "--no-color")
        return "\n".join((self.compose("ps", "--all"), logs, self.engine.log()[-6000:]))

    def told(self, *services: str) -> str:
        """The last that services wrote."""
        return self.compose("logs", "--tail", "60", "--no-color", "--no-log-prefix", *services)

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
        return {file.name: file.read_text() for file in self.volume("secrets").iterdir()}

    def calls(self) -> list[str]:
        """The calls that the history has; newest last."""
        live = self.volume("history") / "calls.sqlite"
        with closing(sqlite3.connect(f"file:{live}?mode=ro", uri=True)) as history:
            return [row[0] for row in history.execute("SELECT room FROM calls ORDER BY started_at")]

    def volume(self, name: str) -> Path:
        """Where a volume lies on this machine."""
        (volume,) = json.loads(self.engine.docker("volume", "inspect", f"{PROJECT}_{name}"))
        return Path(volume["Mountpoint"])

    def script(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the checkout's own scripts with the distribution's Python."""
        return subprocess.run(
            ["/usr/bin/python3", f"scripts/{name}.py", *arguments], cwd=self.checkout,
            env=self.engine.environment | BUILD, capture_output=True, text=True, check=False,
            timeout=SCRIPT_S,
        )  # fmt: skip

    def on_phone(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the other host."""
        return subprocess.run(
            self.machines.on_browser(*command),
            env={**os.environ, "STATE_DIR": str(self.checkout.parent / "phone")},
            capture_output=True, text=True, check=False, timeout=CALL_S, cwd=ROOT,
        )  # fmt: skip

    def forget_state(self) -> None:
        """An empty machine, but for the models; no container is left."""
        volumes = self.engine.docker("volume", "ls", "--quiet").split()
        others = [each for each in volumes if each != MODELS]
        self.engine.docker("volume", "rm", *others)

    def call(self, *speech: Path, number: str = NUMBER) -> dict[str, Any]:
        """Call from the other host with the project's own script; its report."""
        words = [str(each) for each in speech] or ["--greeting-only"]
        command = [sys.executable, str(ROOT / "scripts/test_call.py"), *words]
        done = self.on_phone(
            *command, "--server", STACK_IP, "--number", number, "--no-transcribe", "--json"
        )
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def answered_within(self, limit_s: float, number: str = NUMBER) -> float:
        """Call from the other host until the agent is heard; the seconds that it took."""
        words = (STACK_IP, PHONE_IP, str(limit_s), number)
        done = self.on_phone(sys.executable, "-m", "tests.stack.caller", *words)
        assert done.returncode == 0, f"{done.stdout} {done.stderr}\n{self.state()}"
        took_s = float(done.stdout)
        test = os.environ["PYTEST_CURRENT_TEST"].rpartition("::")[2]
        self.timings[f"agent heard, {test.partition(' ')[0]}"] = took_s
        assert took_s < limit_s
        return took_s


Around = Callable[[World], contextlib.AbstractContextManager[None]]


def bare(_: World) -> contextlib.AbstractContextManager[None]:
    """Nothing is written and nothing runs beside it."""
    return contextlib.nullcontext()


@contextlib.contextmanager
def running(folder: Path, around: Around = bare) -> Iterator[World]:
    """Checkout, images, hosts, engine, stack; all but the images is gone afterwards.

    `around` is entered before anything starts: what an operator writes first, or runs elsewhere.
    """
    checkout = bare_checkout(folder / "checkout")
    with (
        hosts() as (stack_ns, phone_ns),
        engine_with_images(checkout, stack_ns) as runner,
    ):
        give_models(runner)
        world = World(checkout, runner, stack_ns, phone_ns)
        with around(world):
            world.timings["up"] = world.up()
            yield world


@contextlib.contextmanager
def engine_with_images(checkout: Path, namespace: str) -> Iterator[Engine]:
    """An engine whose images are this checkout's: another one may build its own meanwhile."""
    while True:
        images.ensure(checkout)
        with engine(namespace) as runner:
            if images.fit(checkout):
                yield runner
                return


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
    for found in Path("/run/netns").glob("vs-phone-*"):
        if not psutil.pid_exists(pid := int(found.name.rpartition("-")[2])):
            _forget(*names(pid))  # of a run that was killed
    stack, phone = names(os.getpid())
    try:
        _ip("netns", "add", stack)
        _ip("netns", "add", phone)
        _ip("link", "add", "lan0", "netns", stack, "type", "veth", "peer", "lan0", "netns", phone)
        for name, address in ((stack, STACK_IP), (phone, PHONE_IP)):
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "lan0")
            _ip("-n", name, "link", "set", "lan0", "up")
            _ip("-n", name, "link", "set", "lo", "up")
        # What the operator of a public machine does: docs/compose.md, "Ports below 1024".
        low = ["sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=80"]
        subprocess.run(["nsenter", f"--net=/run/netns/{stack}", *low], check=True)
        for name in (stack, phone):
            (ETC / name).mkdir(parents=True)
            (ETC / name / "hosts").write_text(HOSTS)
        # The interface of the default route gives the stack its address.
        _ip("-n", stack, "route", "add", "default", "via", PHONE_IP)
        yield stack, phone
    finally:
        _forget(stack, phone)


def names(pid: int) -> tuple[str, str]:
    """Of the two hosts' namespaces, by the process that runs the tests."""
    return f"vs-engine-{pid}", f"vs-phone-{pid}"


def _forget(stack: str, phone: str) -> None:
    for name in (stack, phone):
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
        shutil.rmtree(ETC / name, ignore_errors=True)
    with contextlib.suppress(OSError):
        ETC.rmdir()


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

"""Only what browsers need of a stack, on the one machine of a lab: no models, no worker."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.calls import world
from tests.diagnosis import lab as labs
from tests.diagnosis.lab import DOMAIN, ETC, FAR_NAME, STACK_ADDRESS, TURN_DOMAIN, Lab
from tests.servers import AUTHORITY, binary

# A start takes half a second; a busy machine is patient.
START_S = 60.0


@dataclass
class Served:
    """Servers on the one machine, and a doctor on each."""

    lab: Lab
    folder: Path
    environ: dict[str, str]
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    doctors: dict[str, "subprocess.Popen[str]"] = field(default_factory=dict)

    def order(self, where: str = "", **order: Any) -> dict[str, Any]:
        """Have the doctor on a machine do something, and wait for it."""
        return self.begin(where, **order)()

    def begin(self, where: str = "", **order: Any) -> Callable[[], dict[str, Any]]:
        """Have it begun; the result waits for the end."""
        place = where or self.lab.name
        doctor = self.doctors.get(place)
        if doctor is None:
            doctor = self.doctors[place] = subprocess.Popen(
                ["ip", "netns", "exec", place, sys.executable, "-m", "tests.diagnosis.insider"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                cwd=world.ROOT, env=dict(os.environ),
            )  # fmt: skip
        assert doctor.stdout
        self.tell(json.dumps({"folder": str(self.folder), "environ": self.environ, **order}), place)
        stdout = doctor.stdout

        def end() -> dict[str, Any]:
            line = stdout.readline()
            assert not [each for each in self.canaries() if each in line], "a secret got out"
            said: dict[str, Any] = json.loads(line)
            return said

        return end

    def tell(self, line: str, where: str = "") -> None:
        """One line to the doctor on a machine."""
        doctor = self.doctors[where or self.lab.name]
        assert doctor.stdin
        doctor.stdin.write(line + "\n")
        doctor.stdin.flush()

    def canaries(self) -> list[str]:
        """What no report may hold: every secret of the stack, and the beginning of any token."""
        files = [*(self.folder / "state/secrets").glob("*"), self.folder / "token"]
        return [each.read_text().strip() for each in files if each.is_file()] + ["eyJ"]

    def look(self, checks: str = "browsers", **more: Any) -> dict[str, Any]:
        """What the doctor on the stack's machine says."""
        return self.order(checks=checks, **more)

    def look_outside(self, **more: Any) -> dict[str, Any]:
        """What the doctor on the other machine says."""
        where = more.pop("where", self.lab.outside)
        return self.order(where, **{"outside": f"https://{DOMAIN}", **more})

    def dismiss(self, where: str) -> None:
        """End the doctor on a machine that will be gone."""
        if doctor := self.doctors.pop(where, None):
            doctor.kill()
            doctor.wait()

    def config(self, name: str) -> Path:
        """A rendered configuration."""
        return self.folder / "state/config" / name

    def start(self, name: str) -> None:
        """One server, and wait for it."""
        commands: dict[str, tuple[list[str | Path], Callable[[], bool]]] = {
            "redis": ([binary("redis-server"), self.config("redis.conf")], self._port(6380)),
            "livekit": (
                [binary("livekit-server"), "--config", self.config("livekit.yaml")],
                self._port(7880),
            ),
            "control": ([sys.executable, "-m", "control"], self._port(7890)),
            "caddy": (
                [binary("caddy"), "run", "--config", self.config("Caddyfile")],
                self._port(443 if self.environ["DOMAIN"] else 8443),
            ),
        }
        command, ready = commands[name]
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            self.running[name] = subprocess.Popen(
                ["ip", "netns", "exec", self.lab.name, *map(str, command)],
                stdout=log, stderr=log, cwd=world.ROOT,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.environ},
            )  # fmt: skip
        deadline = time.monotonic() + START_S
        while not ready():
            assert self.running[name].poll() is None, (self.folder / f"{name}.log").read_text()
            assert time.monotonic() < deadline, f"{name} did not start"
            time.sleep(0.02)  # no event tells when another process listens

    def until_listening(self, port: int) -> None:
        """Wait for somebody to have it."""
        deadline = time.monotonic() + START_S
        while not self._port(port)():
            assert time.monotonic() < deadline, f"nobody listens on {port}"
            time.sleep(0.02)

    def stop(self, name: str) -> None:
        """End one server. Killed, livekit-server would stay in Redis and be given rooms."""
        process = self.running.pop(name)
        process.terminate()
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:
            process.terminate()  # livekit-server waits for participants; told twice, it does not
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _port(self, number: int) -> Callable[[], bool]:
        def listens() -> bool:
            return f":{number} " in self.lab.run("ss", "-Hlnt")

        return listens

    def until_certified(self) -> None:
        """Wait until the authority has signed for both names."""
        until_certified(self.folder / "state/caddy")

    @contextlib.contextmanager
    def edited(self, name: str, service: str, change: Callable[[str], str]) -> Iterator[None]:
        """A configuration that is not what was rendered, and its server started anew with it."""
        path = self.config(name)
        before = path.read_text()
        after = change(before)
        assert after != before, "the configuration reads otherwise now"
        self.stop(service)
        path.write_text(after)
        try:
            self.start(service)
            yield
        finally:
            path.write_text(before)
            self.stop(service)
            self.start(service)


@contextlib.contextmanager
def served(folder: Path, **more: str) -> Iterator[Served]:
    """The servers of a stack with names and relay, up."""
    names = {"DOMAIN": DOMAIN, "TURN_DOMAIN": TURN_DOMAIN, "LLM_URL": "http://127.0.0.1:9/v1"}
    environ = labs.environment(folder, **names | more)
    with labs.machines(environ) as lab, contextlib.ExitStack() as stack:
        made = Served(lab, folder, environ)
        try:
            if environ.get("ACME_EMAIL"):
                stack.enter_context(authority(folder, lab.outside, lab.name))
            made.order(prepare=True)
            for name in ("redis", "livekit", "control", "caddy"):
                made.start(name)
            yield made
        finally:
            for doctor in made.doctors.values():
                doctor.kill()
                doctor.wait()
            for name in list(made.running):
                made.stop(name)


def until_certified(storage: Path) -> None:
    """Wait until Caddy has certificates for both names."""
    deadline = time.monotonic() + START_S
    wanted = [f"{name}.crt" for name in (DOMAIN, TURN_DOMAIN)]
    while not all([*storage.rglob(each)] for each in wanted):
        assert time.monotonic() < deadline, f"no certificates in {storage}"
        time.sleep(0.05)


ACME = {
    "ACME_EMAIL": "ops@example.test",
    "ACME_DIRECTORY": f"https://{FAR_NAME}:9443/acme/local/directory",
}


@contextlib.contextmanager
def authority(folder: Path, where: str, trusted_by: str) -> Iterator[Path]:
    """An authority on one machine, trusted by another as machines do; its root certificate."""
    storage, file = folder / "authority", folder / "authority.caddyfile"
    file.write_text(AUTHORITY.format(storage=storage, name=FAR_NAME))
    command = [binary("caddy"), "run", "--config", file]
    with (folder / "authority.log").open("wb") as log:
        process = subprocess.Popen(
            ["ip", "netns", "exec", where, *map(str, command)],
            stderr=log, env={"HOME": str(folder)},
        )  # fmt: skip
    try:
        root = storage / "pki/authorities/local/root.crt"
        deadline = time.monotonic() + START_S
        while not root.exists():
            assert time.monotonic() < deadline, "no authority"
            time.sleep(0.02)
        trusted = ETC / trusted_by / "ssl/certs"
        trusted.mkdir(parents=True)
        (trusted / "ca-certificates.crt").write_bytes(root.read_bytes())
        yield root
    finally:
        process.terminate()
        process.wait(20)


__all__ = ["STACK_ADDRESS", "Served", "served"]

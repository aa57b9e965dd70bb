"""A network of one's own: a namespace with a stack in it, and a firewall that can be told things.

Nothing of the host's network is touched. Namespaces carry the pid of their maker: what a run that
was killed has left behind is ended and removed by the next.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.calls import world

PREFIX = "voicestack-lab-"
START_TIMEOUT_S, LOOK_TIMEOUT_S = 150, 90


@dataclass(frozen=True)
class Lab:
    """One namespace with one stack."""

    name: str
    environment: dict[str, str]

    def run(self, *command: str, given: str = "", timeout_s: float = LOOK_TIMEOUT_S) -> str:
        """Run something inside; what it printed."""
        done = self.attempt(*command, given=given, timeout_s=timeout_s)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def attempt(
        self, *command: str, given: str = "", timeout_s: float = LOOK_TIMEOUT_S
    ) -> "subprocess.CompletedProcess[str]":
        """Run something inside that may fail."""
        return subprocess.run(
            ["ip", "netns", "exec", self.name, *command],
            input=given, capture_output=True, text=True, timeout=timeout_s, check=False,
            cwd=world.ROOT, env=self.environment,
        )  # fmt: skip

    def diagnose(self) -> dict[str, Any]:
        """What the script says, as JSON."""
        done = self.attempt(sys.executable, "scripts/sanity_check.py", "--json")
        report: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == report["exit_code"]
        return report

    @contextlib.contextmanager
    def firewall(self, *rules: str) -> Iterator[None]:
        """Packets that come in over lo meet these rules of nftables."""
        chain = "type filter hook input priority 0; policy accept;"
        lines = "\n".join(rules)
        table = f"table inet lab {{ chain input {{ {chain}\n{lines}\n}} }}"
        self.run("nft", "-f", "-", given=table)
        try:
            yield
        finally:
            self.run("nft", "delete", "table", "inet", "lab")


@contextlib.contextmanager
def stack(folder: Path) -> Iterator[Lab]:
    """A namespace with loopback and the whole stack, on the models that come with it."""
    _remove_leftovers()
    lab = Lab(f"{PREFIX}{os.getpid()}", os.environ | world.environment(folder))
    made = subprocess.run(["ip", "netns", "add", lab.name], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("no namespace can be made here: needs root")
    try:
        lab.run("ip", "link", "set", "lo", "up")
        lab.run(sys.executable, "scripts/up.py", timeout_s=START_TIMEOUT_S)
        yield lab
    finally:
        lab.attempt(sys.executable, "scripts/down.py", "--now")
        _remove(lab.name)


def _remove_leftovers() -> None:
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False)
    for line in listed.stdout.splitlines():
        name = line.split()[0]
        if name.startswith(PREFIX) and not psutil.pid_exists(int(name.removeprefix(PREFIX))):
            _remove(name)


def _remove(name: str) -> None:
    """End what still runs in there, then the namespace itself."""
    inside = subprocess.run(
        ["ip", "netns", "pids", name], capture_output=True, text=True, check=False
    )
    for pid in inside.stdout.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)

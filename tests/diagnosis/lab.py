"""A network of one's own: a stack in one namespace, a phone in another, a firewall between them.

Nothing of the host's network is touched. Namespaces carry the pid of their maker: what a run that
was killed has left behind is ended and removed by the next.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.calls import world

PREFIX = "voicestack-lab-"
START_TIMEOUT_S, LOOK_TIMEOUT_S = 300, 120
MOST_LOOKS = 3


# RFC 5737: addresses of documentation, which are nobody's.
STACK_ADDRESS, PHONE_ADDRESS = "203.0.113.10", "203.0.113.77"
# A network behind a router (RFC 1918).
HOME_ADDRESS, ROUTER_ADDRESS = "192.168.77.2", "192.168.77.1"
DOMAIN, TURN_DOMAIN = "voice.example.test", "turn.example.test"
FAR_NAME = "far.example.test"
HOSTS = f"""127.0.0.1 localhost
{STACK_ADDRESS} {DOMAIN} {TURN_DOMAIN}
{PHONE_ADDRESS} {FAR_NAME}
"""
# ip-netns(8): each file of NAME in it is laid over the one in /etc.
ETC = Path("/etc/netns")
LINES = """\
version: 1
lines:
  - number: "+15550100"
    agent: receptionist
    callers: {from: [this-machine, 203.0.113.0/24]}
"""


@dataclass(frozen=True)
class Lab:
    """Two namespaces: the stack's, and the phone's."""

    name: str
    environment: dict[str, str]

    @property
    def outside(self) -> str:
        """The namespace of the phone."""
        return f"{self.name}-phone"

    @property
    def behind(self) -> str:
        """The namespace behind a router, if there is one."""
        return f"{self.name}-home"

    def run(
        self, *command: str, given: str = "", timeout_s: float = LOOK_TIMEOUT_S, where: str = ""
    ) -> str:
        """Run something inside; what it printed."""
        done = self.attempt(*command, given=given, timeout_s=timeout_s, where=where)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def attempt(
        self, *command: str, given: str = "", timeout_s: float = LOOK_TIMEOUT_S, where: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        """Run something inside that may fail."""
        return subprocess.run(
            ["ip", "netns", "exec", where or self.name, *command],
            input=given, capture_output=True, text=True, timeout=timeout_s, check=False,
            cwd=world.ROOT, env=self.environment,
        )  # fmt: skip

    def diagnose(self, *, from_outside: bool = False, quick: bool = False) -> dict[str, Any]:
        """What the script says, as JSON."""
        root = f"{self.environment['STATE_DIR']}/caddy/pki/authorities/local/root.crt"
        options = ["--from-outside", STACK_ADDRESS, "--ca", root] if from_outside else []
        options += ["--quick"] if quick else []
        where = self.outside if from_outside else self.name
        script = [sys.executable, "scripts/sanity_check.py", "--json", *options]
        for _ in range(MOST_LOOKS):
            done = self.attempt(*script, where=where)
            report: dict[str, Any] = json.loads(done.stdout)
            assert done.returncode == report["exit_code"]
            if "took longer" not in done.stdout:  # or, as it says itself, "run it once more"
                break
        return report

    @contextlib.contextmanager
    def firewall(self, *rules: str, where: str = "", hook: str = "input") -> Iterator[None]:
        """Packets that reach a machine, the stack's if none is named, meet rules of nftables."""
        place = where or self.name
        chain = f"type filter hook {hook} priority 0; policy accept;"
        lines, name = "\n".join(rules), f"lab{secrets.token_hex(3)}"
        table = f"table inet {name} {{\nchain input {{\n{chain}\n{lines}\n}}\n}}\n"
        self.run("nft", "-f", "-", given=table, where=place)
        try:
            yield
        finally:
            self.run("nft", "delete", "table", "inet", name, where=place)

    @contextlib.contextmanager
    def nat(self, hook: str, priority: str, rule: str, *, where: str) -> Iterator[None]:
        """One rule of address translation."""
        name = f"lab{secrets.token_hex(3)}"
        chain = f"type nat hook {hook} priority {priority};"
        table = f"table ip {name} {{\nchain {hook} {{\n{chain}\n{rule}\n}}\n}}\n"
        self.run("nft", "-f", "-", given=table, where=where)
        try:
            yield
        finally:
            self.run("nft", "delete", "table", "ip", name, where=where)

    @contextlib.contextmanager
    def home(self) -> Iterator[None]:
        """A third machine whose only neighbour is the phone's, which passes its packets on."""
        (ETC / self.behind).mkdir(parents=True)
        (ETC / self.behind / "hosts").write_text(HOSTS)
        subprocess.run(["ip", "netns", "add", self.behind], check=True)
        try:
            ends = ("type", "veth", "peer", "name", "lan0", "netns", self.behind)
            self.run("ip", "link", "add", "home0", *ends, where=self.outside)
            for place, card, address in (
                (self.outside, "home0", ROUTER_ADDRESS),
                (self.behind, "lan0", HOME_ADDRESS),
            ):
                self.run("ip", "address", "add", f"{address}/24", "dev", card, where=place)
                self.run("ip", "link", "set", card, "up", where=place)
            self.run("ip", "link", "set", "lo", "up", where=self.behind)
            self.run("ip", "route", "add", "default", "via", ROUTER_ADDRESS, where=self.behind)
            self.run("sysctl", "-qw", "net.ipv4.ip_forward=1", where=self.outside)
            yield
        finally:
            _remove(self.behind)


@contextlib.contextmanager
def machines(environment: Mapping[str, str], hosts: str = HOSTS) -> Iterator[Lab]:
    """The two machines and the cable between them; gone afterwards with all that ran there."""
    remove_leftovers()
    lab = Lab(f"{PREFIX}{os.getpid()}-{secrets.token_hex(2)}", {**os.environ, **environment})
    try:
        for name in (lab.name, lab.outside):
            (ETC / name).mkdir(parents=True)
            (ETC / name / "hosts").write_text(hosts)
        made = subprocess.run(["ip", "netns", "add", lab.name], capture_output=True, check=False)
        if made.returncode:
            pytest.skip("no namespace can be made here: needs root")
        _connect(lab)
        yield lab
    finally:
        for name in (lab.behind, lab.outside, lab.name):
            _remove(name)


@contextlib.contextmanager
def stack(folder: Path, **more: str) -> Iterator[Lab]:
    """The whole stack on the models that come with it, and a phone's machine beside it."""
    with machines(environment(folder, **more)) as lab:
        try:
            lab.run(sys.executable, "scripts/up.py", timeout_s=START_TIMEOUT_S)
            yield lab
        finally:
            lab.attempt(sys.executable, "scripts/down.py", "--now")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """On the standard ports: nobody else is in there."""
    made = world.environment(folder, **{"LISTEN": "lan", "NODE_IP": STACK_ADDRESS} | more)
    Path(made["LINES_FILE"]).write_text(LINES)
    del made["STACK_PORT_BASE"]
    return made


def _connect(lab: Lab) -> None:
    """A cable between the two, and loopback in both."""
    subprocess.run(["ip", "netns", "add", lab.outside], check=True)
    lab.run(
        "ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan0", "netns", lab.outside
    )
    for name, address in ((lab.name, STACK_ADDRESS), (lab.outside, PHONE_ADDRESS)):
        for command in (f"address add {address}/24 dev lan0", "link set lan0 up", "link set lo up"):
            done = lab.attempt("ip", *command.split(), where=name)
            assert done.returncode == 0, done.stderr


def remove_leftovers() -> None:
    """End and remove what a run that was killed has left behind."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False)
    names = {line.split()[0] for line in listed.stdout.splitlines() if line.strip()}
    names |= {path.name for path in ETC.glob(f"{PREFIX}*")}
    for name in names:
        pid = name.removeprefix(PREFIX).partition("-")[0]
        if name.startswith(PREFIX) and not (pid.isdigit() and psutil.pid_exists(int(pid))):
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
    shutil.rmtree(ETC / name, ignore_errors=True)
    with contextlib.suppress(OSError):
        ETC.rmdir()

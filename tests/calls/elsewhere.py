"""Two machines on one wire, as network namespaces: the stack on one, a browser on the other.

The stack has every default port there, 443 and 3478 too, and nothing of it can be reached from
outside. Firewalls between the two are rules of the second namespace. Needs root.
"""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from tests.calls import world
from voicestack import network, settings
from voicestack.native.up import Stack

# As on a LAN; nothing outside the two namespaces ever sees them.
STACK_ADDRESS, BROWSER_ADDRESS = IPv4Address("10.213.77.1"), IPv4Address("10.213.77.2")
OTHER_ADDRESS = "10.214.77.1/24"
DOMAIN, TURN_DOMAIN = "voice.example.test", "turn.example.test"
FAR_NAME = "far.example.test"
HOSTS = f"""127.0.0.1 localhost
{STACK_ADDRESS} {DOMAIN} {TURN_DOMAIN}
{BROWSER_ADDRESS} {FAR_NAME}
"""
READY_S = 180
# ip-netns(8): each file of NAME in it is laid over the one in /etc.
ETC = Path("/etc/netns")
# What the stack sees on its machine; outside of the namespace it must be told.
THERE = network.Machine(
    (network.Interface("cable", IPv4Interface(f"{STACK_ADDRESS}/30")),), None, first_free_port=1
)


@dataclass(frozen=True, slots=True)
class Machines:
    """Names of the two namespaces."""

    stack: str
    browser: str

    def on_stack(self, *command: str | Path) -> list[str]:
        """Return the command that runs there."""
        return ["ip", "netns", "exec", self.stack, *map(str, command)]

    def on_browser(self, *command: str | Path) -> list[str]:
        """Return the command that runs there."""
        return ["ip", "netns", "exec", self.browser, *map(str, command)]

    @staticmethod
    def etc(name: str) -> Path:
        """Return the folder whose files one of them finds in /etc."""
        return ETC / name

    @contextlib.contextmanager
    def blocked(self, *rules: str) -> Iterator[None]:
        """Drop what leaves the browser's machine by these matches of iptables."""
        for rule in rules:
            _run(self.on_browser("iptables", "-A", "OUTPUT", *rule.split(), "-j", "DROP"))
        try:
            yield
        finally:
            _run(self.on_browser("iptables", "-F", "OUTPUT"))


@contextlib.contextmanager
def machines() -> Iterator[Machines]:
    """Make both, joined by a cable; gone afterwards with all that was in them."""
    mark = secrets.token_hex(3)
    made = Machines(f"vs-stack-{mark}", f"vs-far-{mark}")
    try:
        for name in (made.stack, made.browser):
            made.etc(name).mkdir(parents=True)
            (made.etc(name) / "hosts").write_text(HOSTS)
            _run(["ip", "netns", "add", name])
            _run(["ip", "-n", name, "link", "set", "lo", "up"])
        # A network that the browser is not on: servers must not answer from there.
        _run(
            ["ip", "-n", made.stack, "link", "add", "other", "type", "veth", "peer", "name", "end"]
        )
        _run(["ip", "-n", made.stack, "address", "add", OTHER_ADDRESS, "dev", "other"])
        for name in ("other", "end"):
            _run(["ip", "-n", made.stack, "link", "set", name, "up"])
        near, far = f"vsa{mark}", f"vsb{mark}"
        ends = ("type", "veth", "peer", "name", far, "netns", made.browser)
        _run(["ip", "-n", made.stack, "link", "add", near, *ends])
        for name, end, address in (
            (made.stack, near, STACK_ADDRESS),
            (made.browser, far, BROWSER_ADDRESS),
        ):
            _run(["ip", "-n", name, "address", "add", f"{address}/30", "dev", end])
            _run(["ip", "-n", name, "link", "set", end, "up"])
        _run(["ip", "-n", made.browser, "route", "add", "default", "via", str(STACK_ADDRESS)])
        yield made
    finally:
        for name in (made.stack, made.browser):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
            shutil.rmtree(made.etc(name), ignore_errors=True)
        with contextlib.suppress(OSError):
            ETC.rmdir()


@contextlib.contextmanager
def running(folder: Path, where: Machines) -> Iterator[Stack]:
    """Run a stack with names, a relay and the default ports on its own machine."""
    values = world.environment(
        folder,
        LISTEN="lan",
        NODE_IP=str(STACK_ADDRESS),
        DOMAIN=DOMAIN,
        TURN_DOMAIN=TURN_DOMAIN,
        STACK_PORT_BASE="",
    )
    stack = Stack(settings.load(folder, environ=values, machine=THERE), world.ROOT)
    try:
        _run(
            where.on_stack(sys.executable, "-m", __name__, folder),
            env={**os.environ, **values},
            timeout_s=READY_S,
        )
        yield stack
    finally:
        stack.down(now=True)


def _run(command: list[str], *, env: dict[str, str] | None = None, timeout_s: float = 10) -> None:
    done = subprocess.run(
        command,
        env=env,
        cwd=world.ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"


if __name__ == "__main__":
    Stack(settings.load(Path(sys.argv[1])), world.ROOT).up(lambda _: None)

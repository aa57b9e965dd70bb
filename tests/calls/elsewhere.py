"""Two machines on one wire, as network namespaces: the stack on one, a browser on the other.

The stack has every default port there, 443 and 3478 too, and nothing of it can be reached from
outside. Firewalls between the two are rules of the second namespace. Needs root.
"""

import contextlib
import os
import secrets
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
DOMAIN, TURN_DOMAIN = "voice.example.test", "turn.example.test"
READY_S = 180


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
    hosts = Path("/etc/netns") / made.browser / "hosts"  # ip-netns(8) lays it over /etc/hosts
    try:
        for name in (made.stack, made.browser):
            _run(["ip", "netns", "add", name])
            _run(["ip", "-n", name, "link", "set", "lo", "up"])
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
        hosts.parent.mkdir(parents=True)
        hosts.write_text(f"127.0.0.1 localhost\n{STACK_ADDRESS} {DOMAIN} {TURN_DOMAIN}\n")
        yield made
    finally:
        for name in (made.stack, made.browser):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        hosts.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            hosts.parent.rmdir()
            hosts.parent.parent.rmdir()


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
    interface = network.Interface("cable", IPv4Interface(f"{STACK_ADDRESS}/30"))
    there = network.Machine((interface,), None, first_free_port=1)
    stack = Stack(settings.load(folder, environ=values, machine=there), world.ROOT)
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

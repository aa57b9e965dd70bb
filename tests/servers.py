"""Real Redis, livekit-server and livekit-sip on free loopback ports, for tests."""

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from voicestack import ports as port_table

CACHE = Path(
    os.environ.get("VOICESTACK_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "voicestack"
)
KEY = "APItests0123456"
SECRET = "a-secret-of-the-tests-long-enough-0123456789"
# Far beyond what a start takes (0.1 s), so that a busy machine does not fail a test.
START_S = 30.0
# Caddy can be an authority for others (its module acme_server); it looks at ports 80 and 443.
AUTHORITY = """{{
	admin off
	skip_install_trust
	auto_https disable_redirects
	storage file_system {storage}
}}
https://{name}:9443 {{
	tls internal
	acme_server
}}
"""


def binary(name: str) -> Path:
    """A program that set-up built."""
    return CACHE / "bin" / name


@dataclass
class Servers:
    """Addresses of what runs, and a way to stop and start it."""

    folder: Path
    ports: port_table.Ports
    webhook: str | None = None
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    programs: dict[str, Path] = field(default_factory=dict)  # in place of those of set-up

    @property
    def url(self) -> str:
        """Where livekit-server answers."""
        return f"http://127.0.0.1:{self.ports['livekit_http']}"

    def start_redis(self) -> None:
        """Redis without persistence."""
        number = self.ports["redis"]
        arguments = ["--port", str(number), "--bind", "127.0.0.1", "--save", "", "--dir"]
        self._start("redis-server", [*arguments, str(self.folder)])
        self._wait("redis-server", lambda: _redis(number, "PING").startswith("+PONG"))

    def start_livekit(self) -> None:
        """livekit-server on loopback."""
        config: dict[str, object] = {
            "port": self.ports["livekit_http"],
            "bind_addresses": ["127.0.0.1"],
            "keys": {KEY: SECRET},
            "redis": {"address": f"127.0.0.1:{self.ports['redis']}"},
            "rtc": {
                "udp_port": self.ports["livekit_udp"],
                "tcp_port": self.ports["livekit_tcp"],
                "use_external_ip": False,
                "node_ip": "127.0.0.1",
                "enable_loopback_candidate": True,
                "interfaces": {"includes": ["lo"]},
            },
            "room": {"enable_remote_unmute": True},
            "logging": {"level": "info"},
        }
        if self.webhook:
            config["webhook"] = {"api_key": KEY, "urls": [self.webhook]}
        self._start("livekit-server", ["--config-body", json.dumps(config)])
        self._wait("livekit-server", lambda: _http_ok(self.url))

    def start_sip(self, **more: str) -> None:
        """livekit-sip, listening on loopback; `more` are keys of its configuration."""
        rtp = self.ports.range("sip_rtp")
        config = {
            "api_key": KEY,
            "api_secret": SECRET,
            "ws_url": self.url.replace("http", "ws"),
            "redis": {"address": f"127.0.0.1:{self.ports['redis']}"},
            "sip_port": self.ports["sip"],
            "rtp_port": f"{rtp.start}-{rtp.stop - 1}",
            "listen_ip": "127.0.0.1",
            "nat_1_to_1_ip": "127.0.0.1",
            "local_net": "127.0.0.0/8",
            "health_port": self.ports["sip_health"],
            "max_cpu_utilization": 1.0,
            "logging": {"level": "info"},
            **more,
        }
        self._start("livekit-sip", ["--config-body", json.dumps(config)])
        health = f"http://127.0.0.1:{self.ports['sip_health']}"
        self._wait("livekit-sip", lambda: _http_ok(health))

    def forget_lines(self) -> None:
        """Trunks and rules gone; rooms and the server's own registration stay."""
        keys = "sip_trunk sip_inbound_trunk sip_outbound_trunk sip_dispatch_rule"
        assert _redis(self.ports["redis"], f"DEL {keys}").startswith(":")

    def forget_everything(self) -> None:
        """What a lost Redis looks like; the server registers itself again within 2 s."""
        assert _redis(self.ports["redis"], "FLUSHALL").startswith("+OK")

    def stop(self, name: str) -> None:
        """End one server, by force: tests have no calls to drain."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def log(self, name: str) -> str:
        """What a server wrote."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _start(self, name: str, arguments: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [self.programs.get(name) or binary(name), *arguments],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={"PATH": os.environ["PATH"]},
            )

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_S
        pause_s = 0.01
        while not ready():
            if self.running[name].poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{name} did not start:\n{self.log(name)[-2000:]}")
            time.sleep(pause_s)  # no event tells when another process listens
            pause_s = min(pause_s * 1.5, 0.2)


@contextlib.contextmanager
def servers(folder: Path, *, webhook_port: int | None = None) -> Iterator[Servers]:
    """Ports of a free block; whatever was started is gone afterwards."""
    base = port_table.free_base()
    stack = Servers(folder, port_table.at_base(base))
    if webhook_port != 0:
        control = webhook_port or stack.ports["control"]
        stack.webhook = f"http://127.0.0.1:{control}/livekit/webhook"
    try:
        yield stack
    finally:
        for name in list(stack.running):
            stack.stop(name)


@contextlib.contextmanager
def gateway(folder: Path, *, program: Path | None = None, **sip: str) -> Iterator[Servers]:
    """Redis, livekit-server and livekit-sip, without lines and without webhooks.

    `program` is another livekit-sip; `sip` are keys of its configuration.
    """
    program = program or binary("livekit-sip")
    if not program.exists():
        pytest.skip("livekit-sip is not built yet: make setup")
    with servers(folder, webhook_port=0) as stack:
        stack.programs["livekit-sip"] = program
        stack.start_redis()
        stack.start_livekit()
        stack.start_sip(**sip)
        yield stack


def _http_ok(url: str) -> bool:
    try:
        with urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except HTTPError as error:
        # livekit-sip on a busy machine: it takes calls, but would rather not dial any.
        return error.code == 429
    except OSError:
        return False


def _redis(number: int, command: str) -> str:
    try:
        with socket.create_connection(("127.0.0.1", number), timeout=2) as connection:
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(64).decode()
    except OSError:
        return ""

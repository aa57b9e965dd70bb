"""Certificates are renewed while servers run, and each TLS port shows the new one: on the wire."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.calls import elsewhere, world
from tests.calls.elsewhere import DOMAIN, STACK_ADDRESS, THERE, TURN_DOMAIN, Machines
from tests.servers import binary
from voicestack import credentials, network, settings
from voicestack.native import render
from voicestack.native.paths import Paths
from voicestack.ports import resolve

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not binary("caddy").exists(), reason="no Caddy: make setup"),
]
WITHIN_S = 90.0
# Caddy renews when a third of the life is left, and looks as often as it is told.
SHORT_LIVED = """cert_issuer internal {
		lifetime 24s
	}
	renew_interval 1s"""
# The page; the relay, which Caddy tells apart by name; SIP, whose TLS ends in livekit-sip.
DOORS = ((DOMAIN, 443), (TURN_DOMAIN, 443), (DOMAIN, 5061))
# Prints the serial number of the certificate at each door, once its whole chain was checked.
LOOK = """
import json, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
found = []
for door in sys.argv[2:]:
    name, port = door.split(":")
    with socket.create_connection((name, int(port)), 5) as raw:
        with context.wrap_socket(raw, server_hostname=name) as tls:
            found.append(tls.getpeercert()["serialNumber"])
print(json.dumps(found))
"""


@pytest.fixture
def machines() -> Iterator[Machines]:
    with elsewhere.machines() as machines:
        yield machines


def rendered(folder: Path) -> Paths:
    """The files of a stack with names, whose certificates live for seconds."""
    values = {
        "STATE_DIR": str(folder / "state"),
        "DOMAIN": DOMAIN,
        "TURN_DOMAIN": TURN_DOMAIN,
        "NODE_IP": str(STACK_ADDRESS),
        "SIP_TLS": "on",
    }
    stack = settings.load(folder, environ=values, machine=THERE)
    paths = Paths.of(stack, world.ROOT)
    paths.make()
    secrets = credentials.ensure(stack)
    for files in render.server_files(stack, resolve(stack), secrets, paths).values():
        for name, text in files.items():
            render.write_private(paths.config / name, text.replace("local_certs", SHORT_LIVED))
    return paths


@contextlib.contextmanager
def serving(machines: Machines, paths: Paths) -> Iterator[None]:
    """Redis, livekit-sip and Caddy on the stack's machine; livekit-sip before any certificate."""
    commands = {
        "redis-server": (paths.config / "redis.conf",),
        "livekit-sip": ("--config", paths.config / "sip.yaml"),
        "caddy": ("run", "--config", paths.config / "Caddyfile"),
    }
    with contextlib.ExitStack() as stack:
        for name, arguments in commands.items():
            log = stack.enter_context((paths.logs / f"{name}.log").open("wb"))
            command = machines.on_stack(binary(name), *arguments)
            process = subprocess.Popen(
                command, stdout=log, stderr=log, env={"HOME": str(paths.state)}
            )
            stack.callback(process.wait, 20)
            stack.callback(process.kill)
            if name == "redis-server":  # livekit-sip ends at once without it
                until(lambda log=paths.logs / f"{name}.log": b"Ready to accept" in log.read_bytes())
        yield


def until(look: object) -> list[str]:
    """Look until there is something: other processes are at work."""
    assert callable(look)
    deadline = time.monotonic() + WITHIN_S
    while not (seen := look()):
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.2)
    return seen  # type: ignore[no-any-return]


def shown(machines: Machines, root: Path) -> list[str] | None:
    """Serial numbers as seen from elsewhere; None while one of them would be refused."""
    doors = [f"{name}:{port}" for name, port in DOORS]
    done = subprocess.run(
        machines.on_browser(sys.executable, "-c", LOOK, root, *doors),
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout) if done.returncode == 0 else None


def test_each_tls_port_shows_the_renewed_certificate(
    tmp_path: Path, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page, the relay over TLS, SIP over TLS; nothing is restarted for it."""
    monkeypatch.setattr(network, "look", lambda: THERE)
    paths = rendered(tmp_path)
    with serving(machines, paths):
        root = paths.state / "caddy/pki/authorities/local/root.crt"
        first = until(lambda: shown(machines, root))
        assert first[0] == first[2]  # SIP shows the page's

        def renewed() -> list[str] | None:
            now = shown(machines, root)
            fresh = now and all(new != old for new, old in zip(now, first, strict=True))
            return now if fresh else None

        now = until(renewed)
    assert now[0] == now[2]

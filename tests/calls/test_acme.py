"""A public stack gets its certificates by ACME, from an authority that really looks."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.calls import elsewhere, world
from tests.calls.elsewhere import DOMAIN, FAR_NAME, STACK_ADDRESS, THERE, TURN_DOMAIN, Machines
from tests.servers import AUTHORITY, binary
from voicestack import credentials, network, settings
from voicestack.native import render
from voicestack.native.paths import Paths
from voicestack.ports import resolve

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not binary("caddy").exists(), reason="no Caddy: make setup"),
]
ISSUED_S = 60.0
# Prints the certificate of a name, once its whole chain was checked.
LOOK = """
import json, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
with socket.create_connection((sys.argv[2], 443), 5) as raw:
    with context.wrap_socket(raw, server_hostname=sys.argv[2]) as tls:
        print(json.dumps(tls.getpeercert()))
"""
ASK = """
import httpx, json, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
answers = [httpx.get(url, verify=context) for url in sys.argv[2:]]
print(json.dumps([{"status": each.status_code, "headers": dict(each.headers)} for each in answers]))
"""


@pytest.fixture
def machines() -> Iterator[Machines]:
    with elsewhere.machines() as machines:
        yield machines


@contextlib.contextmanager
def caddy(command: list[str], folder: Path) -> Iterator[None]:
    """Run one; what it says is in `folder`/log."""
    folder.mkdir(exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, env={"HOME": str(folder)})
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


def until(look: Any) -> Any:
    """Look until there is something: other processes are at work."""
    deadline = time.monotonic() + ISSUED_S
    while not (seen := look()):
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.1)
    return seen


def certificate(machines: Machines, root: Path, name: str) -> dict[str, Any] | None:
    """What a browser elsewhere is shown for a name; None while it would be refused."""
    done = subprocess.run(
        machines.on_browser(sys.executable, "-c", LOOK, root, name),
        capture_output=True,
        text=True,
        check=False,
    )
    seen: dict[str, Any] | None = json.loads(done.stdout) if done.returncode == 0 else None
    return seen


def asked(machines: Machines, root: Path, *urls: str) -> list[dict[str, Any]]:
    """Status and headers of some addresses, as seen from elsewhere."""
    command = machines.on_browser(sys.executable, "-c", ASK, root, *urls)
    answers: list[dict[str, Any]] = json.loads(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout
    )
    return answers


def configured(folder: Path) -> Path:
    """The file that a public stack's Caddy is given."""
    values = {
        "STATE_DIR": str(folder / "state"),
        "DOMAIN": DOMAIN,
        "TURN_DOMAIN": TURN_DOMAIN,
        "ACME_EMAIL": "ops@example.test",
        "ACME_DIRECTORY": f"https://{FAR_NAME}:9443/acme/local/directory",
        "NODE_IP": str(STACK_ADDRESS),
    }
    stack = settings.load(folder, environ=values, machine=THERE)
    paths = Paths.of(stack, world.ROOT)
    given = render.template_values(stack, resolve(stack), credentials.ensure(stack), paths)
    file = folder / "Caddyfile"
    file.write_text(render.render(world.ROOT, "caddy/Caddyfile.j2", given))
    return file


def test_both_names_have_certificates_of_the_authority(
    tmp_path: Path, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issued after a look at the machine; port 80 leads to HTTPS, which browsers remember."""
    monkeypatch.setattr(network, "look", lambda: THERE)
    theirs, ours = tmp_path / "authority", tmp_path / "stack"
    theirs.mkdir()
    ours.mkdir()
    file = theirs / "Caddyfile"
    file.write_text(AUTHORITY.format(storage=theirs / "storage", name=FAR_NAME))
    program = binary("caddy")
    with caddy(machines.on_browser(program, "run", "--config", file), theirs):
        root = theirs / "storage/pki/authorities/local/root.crt"
        until(root.exists)
        # The stack's machine trusts the authority as machines do: by its folder of certificates.
        trusted = machines.etc(machines.stack) / "ssl/certs"
        trusted.mkdir(parents=True)
        (trusted / "ca-certificates.crt").write_bytes(root.read_bytes())
        with caddy(machines.on_stack(program, "run", "--config", configured(ours)), ours):
            for name in (DOMAIN, TURN_DOMAIN):
                shown = until(lambda name=name: certificate(machines, root, name))
                assert shown["subjectAltName"] == [["DNS", name]]
            plain, page = asked(machines, root, f"http://{DOMAIN}/", f"https://{DOMAIN}/ca.crt")
    assert plain["headers"]["location"] == f"https://{DOMAIN}/"
    assert page["headers"]["strict-transport-security"] == "max-age=31536000"
    assert page["status"] == 404  # there is no authority of our own to hand out

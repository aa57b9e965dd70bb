"""The diagnosis of a stack in containers: the checkout's own script, on the stack's host."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from tests.calls.elsewhere import FAR_NAME
from tests.diagnosis.servers import ACME, authority, until_certified
from tests.stack.world import BUILD, PHONE_IP, PUBLIC, SCRIPT_S, STACK_IP, World

# What an operator writes whose certificates come by ACME from an authority of his own.
CERTIFIED = f"{PUBLIC}NODE_IP={STACK_IP}\n" + "".join(f"{k}={v}\n" for k, v in ACME.items())
TRUST = f"""\
services:
  caddy:
    extra_hosts: ["{FAR_NAME}:{PHONE_IP}"]
    volumes: ["{{root}}:/etc/ssl/certs/ca-certificates.crt:ro"]
"""


def diagnosed(stack: World, *options: str) -> dict[str, Any]:
    """What it says, with its call."""
    environ = {**os.environ, **stack.engine.environment, **BUILD, "PYTHONPATH": str(stack.checkout)}
    script = [sys.executable, str(stack.checkout / "scripts/sanity_check.py"), "--json", *options]
    done = subprocess.run(
        stack.machines.on_stack(*script), cwd=stack.checkout, env=environ,
        capture_output=True, text=True, check=False, timeout=SCRIPT_S,
    )  # fmt: skip
    assert done.stdout, done.stderr
    secrets = [text.strip() for text in stack.secrets().values()]
    assert not [each for each in secrets if len(each) > 7 and each in done.stdout + done.stderr]
    report: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == report["exit_code"]
    return report


def unseen(report: dict[str, Any]) -> list[tuple[str, Any]]:
    """Checks that could not tell."""
    return [(each["check"], each["unknown"]) for each in report["checks"] if each["state"] != "ok"]


@contextlib.contextmanager
def certified(stack: World) -> Iterator[None]:
    """A public stack: names, a registrar, an authority on the other host that looks and signs."""
    (stack.checkout / ".env").write_text(CERTIFIED)
    lines = stack.checkout / "sip/lines.yaml"
    (stack.checkout / "sip/mine.yaml").write_text(lines.read_text())
    folder = stack.checkout.parent
    with authority(folder, stack.phone_ns, trusted_by=stack.stack_ns) as root:
        copy = folder / "root.crt"
        copy.write_bytes(root.read_bytes())
        copy.chmod(0o644)
        (stack.checkout / "trust.yaml").write_text(TRUST.format(root=copy))
        stack.files = ("compose.yaml", "trust.yaml")
        yield


def await_certificates(stack: World) -> None:
    """Caddy has both, and serves them."""
    until_certified(stack.volume("caddy-data"))

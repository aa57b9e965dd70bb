"""The diagnosis of a stack in containers: from the host, as for processes, and silent when well."""

import json
import os
import subprocess
import sys
from typing import Any

from tests.stack.world import BUILD, SCRIPT_S, World


def diagnosed(stack: World, *options: str) -> dict[str, Any]:
    """What the checkout's script says on the stack's host, with its call."""
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


def test_a_healthy_stack_in_containers_is_silent(stack: World) -> None:
    """Nothing is named and nothing stays unknown: secrets and logs come out of the volumes."""
    stack.answered_within(60.0)
    report = diagnosed(stack)
    stack.timings["diagnosis, whole"] = report["took_s"]
    unseen = [(c["check"], c["unknown"]) for c in report["checks"] if c["state"] != "ok"]
    assert (report["findings"], unseen, report["exit_code"]) == ([], [], 0)
    assert report["took_s"] < 60


def test_a_stopped_container_is_the_one_cause(stack: World) -> None:
    """What follows from it stays quiet."""
    stack.compose("stop", "--timeout", "1", "sip")
    try:
        report = diagnosed(stack, "--quick")
    finally:
        stack.compose("start", "sip")
    assert [f"{each['code']} {each['subject']}" for each in report["findings"]] == ["CON001 sip"]

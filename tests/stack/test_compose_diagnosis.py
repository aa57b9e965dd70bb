"""The diagnosis of a stack in containers: from the host, as for processes, and silent when well."""

import pytest

from tests.stack.conftest import Kept
from tests.stack.doctor import diagnosed, unseen
from tests.stack.world import World

pytestmark = pytest.mark.long


def silent(stack: World, mode: str) -> None:
    """Nothing is named and nothing stays unknown: secrets and logs come out of the volumes."""
    stack.answered_within(60.0)
    report = diagnosed(stack)
    stack.timings[f"diagnosis, whole, {mode}"] = report["took_s"]
    assert (report["findings"], unseen(report), report["exit_code"]) == ([], [], 0)
    assert report["took_s"] < 60


def test_a_healthy_stack_in_containers_is_silent(stack: World) -> None:
    """In whatever mode other tests have left it: LAN, where this one is the first."""
    silent(stack, "first")


def test_a_healthy_public_stack_is_silent(stack: World, public: Kept) -> None:
    """With names, a relay over TLS and a registrar."""
    silent(stack, "public")


def test_a_stopped_container_is_the_one_cause(stack: World) -> None:
    """What follows from it stays quiet."""
    stack.compose("stop", "--timeout", "1", "sip")
    try:
        report = diagnosed(stack, "--quick")
    finally:
        stack.compose("start", "sip")
    assert [f"{each['code']} {each['subject']}" for each in report["findings"]] == ["CON001 sip"]

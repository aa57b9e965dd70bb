"""Profile `registrar` on an engine: a softphone registers, calls, and is called."""

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.speech import Utterance
from tests.stack import softphone, test_compose_closed
from tests.stack.conftest import PHONE_NUMBER, Kept
from tests.stack.world import PHONE_IP, ROOT, STACK_IP, World

pytestmark = pytest.mark.skipif(
    not Path("/usr/bin/baresip").exists(), reason="no baresip: scripts/bootstrap.sh --dev"
)
REGISTRAR = f"{STACK_IP}:5080"
TURN_S = 45.0  # three questions, 12 s between them


def test_the_registrar_may_do_as_little_and_comes_back(stack: World, public: Kept) -> None:
    """What holds for all containers; the engine starts it again after a SIGKILL."""
    test_compose_closed.test_a_container_may_do_little(stack, "registrar")
    before = stack.container("registrar")["RestartCount"]
    stack.kill("registrar")
    stack.await_restart("registrar", before)


def test_a_softphone_registers_calls_and_is_called(
    stack: World, public: Kept, question: Utterance, tmp_path: Path
) -> None:
    """baresip on another host: the agent answers its question, and calls it by its number."""
    arguments = (REGISTRAR, PHONE_IP, question.name, str(tmp_path / "phone"))
    phone = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{stack.phone_ns}", sys.executable, "-m",
         softphone.__name__, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert phone.stdin
    assert phone.stdout
    with phone:
        try:
            phone.stdin.write(f"{public.password}\n")
            phone.stdin.flush()
            assert phone.stdout.readline() == "registered\n"
            assert phone.stdout.readline() == "heard\n", stack.told("agent", "sip")
            assert turns(stack), "the agent did not hear the question"
            phone.stdin.write("enough\n")
            phone.stdin.flush()
            assert phone.stdout.readline() == "waits\n", stack.told("agent", "sip")
            called = stack.tools("make-call", PHONE_NUMBER, "--json")
            assert called["result"] == "answered"
            assert phone.stdout.readline() == "called\n", stack.told("agent", "sip")
            assert phone.wait(30) == 0
        finally:
            phone.kill()


def turns(stack: World) -> int:
    """Answers of the agent in the newest call, as soon as the history has one."""
    deadline = time.monotonic() + TURN_S
    live = stack.volume("history") / "calls.sqlite"
    asked = (
        "SELECT count(*) FROM turns WHERE room ="
        " (SELECT room FROM calls ORDER BY started_at DESC LIMIT 1)"
    )
    while True:
        with closing(sqlite3.connect(f"file:{live}?mode=ro", uri=True)) as history:
            ((found,),) = history.execute(asked)
        if found or time.monotonic() > deadline:
            return int(found)
        time.sleep(0.2)  # another program's file

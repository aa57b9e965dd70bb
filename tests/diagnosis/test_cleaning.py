"""The lab leaves nothing behind, whatever ends it."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from tests.calls import world
from tests.diagnosis import lab

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
# A lab with a server in it, which says where it is and waits.
MAKE = """
import subprocess, sys, time
from tests.diagnosis import lab
with lab.machines({}) as made:
    inside = subprocess.Popen(["ip", "netns", "exec", made.name, "sleep", "3600"])
    print(made.name, inside.pid, flush=True)
    time.sleep(3600)
"""


def namespaces() -> str:
    return subprocess.run(
        ["ip", "netns", "list"], capture_output=True, text=True, check=True
    ).stdout


def is_alive(pid: int) -> bool:
    """True unless it is gone, or ended and nobody has asked for its exit code yet."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_next_lab_removes_what_a_killed_one_left() -> None:
    """kill -9 leaves namespaces, files and a server; the next lab ends them, and not itself."""
    victim = subprocess.Popen(
        [sys.executable, "-c", MAKE], stdout=subprocess.PIPE, text=True, cwd=world.ROOT
    )
    assert victim.stdout
    name, pid = victim.stdout.readline().split()
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    assert name in namespaces()
    assert is_alive(int(pid))
    with lab.machines({}) as made:
        left = namespaces()
        assert name not in left
        assert made.name in left
        assert not is_alive(int(pid))
        assert not (lab.ETC / name).exists()
    assert made.name not in namespaces()

"""What a crashed supervisor leaves behind is found by its mark, and only that."""

import os
import subprocess
from pathlib import Path

import psutil

from voicestack.native import leftovers
from voicestack.native.supervisor import MARK


def start(state: str) -> subprocess.Popen[bytes]:
    """A process that would run for a minute."""
    return subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: state})


def test_own_leftovers_are_ended_and_others_are_not(tmp_path: Path) -> None:
    """Two stacks on one machine never end each other's processes."""
    ours, theirs = start(str(tmp_path)), start(str(tmp_path / "other"))
    try:
        found = leftovers.find(tmp_path)
        assert [process.pid for process in found] == [ours.pid]
        leftovers.end(found)
        assert not psutil.pid_exists(ours.pid)
        assert theirs.poll() is None
    finally:
        for process in (ours, theirs):
            process.kill()
            process.wait()

"""No check can hang the diagnosis: what it saw is printed, and the process ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A check of each kind beside a healthy one, in a process of its own.
RUN = """
import asyncio, sys, time
from pathlib import Path
from voicestack.diagnosis import checks, doctor, patience
from voicestack.diagnosis.model import Check

async def in_a_thread(_):
    await asyncio.to_thread(time.sleep, 3600)

async def deaf_to_its_end(_):
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def holds_the_loop(_):
    time.sleep(3600)

async def sees(_):
    return "seen"

def check(look, limit_s=0.3):
    return Check(look.__name__, "Redis", look.__name__, look, lambda _: [], limit_s=limit_s)

checks.QUICK = (check(sees), check(globals()[sys.argv[1]]))
patience.MOST_S = float(sys.argv[3])
sys.exit(doctor.diagnose(Path(sys.argv[2]), doctor.Order(quick=True, as_json=True)))
"""


def run(tmp_path: Path, kind: str) -> "subprocess.CompletedProcess[str]":
    """The process, ended; a busy machine needs some seconds to say what it saw."""
    most_s = 2 if kind == "holds_the_loop" else 30
    return subprocess.run(
        [sys.executable, "-c", RUN, kind, str(tmp_path), str(most_s)],
        capture_output=True, text=True, timeout=150, check=False, cwd=ROOT,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["in_a_thread", "deaf_to_its_end"])
def test_a_check_that_never_returns(tmp_path: Path, kind: str) -> None:
    """Its result is unknown, the others' are there, and the process ends."""
    done = run(tmp_path, kind)
    report = json.loads(done.stdout)
    assert done.returncode == 2
    assert [each["state"] for each in report["checks"]] == ["ok", "unknown"]
    assert "longer than" in report["checks"][1]["unknown"][0]["why"]


def test_a_check_that_holds_everything(tmp_path: Path) -> None:
    """No limit reaches it, so the whole process is ended: exit code 2, and it says so."""
    done = run(tmp_path, "holds_the_loop")
    assert done.returncode == 2
    assert "gave up after" in done.stderr

"""A new agent from the template works as it is written."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from voicestack.cli.agents import new_agent

ROOT = Path(__file__).resolve().parents[2]
runner = CliRunner()
app = typer.Typer()
app.command()(new_agent)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Agents and their tests, copied."""
    for folder in ("agent/voice_agent", "tests/unit/agent"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for file in ("tests/__init__.py", "tests/obedient.py"):
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def test_agent_and_test_are_written_and_pass(checkout: Path) -> None:
    """The new test runs against the new agent."""
    done = runner.invoke(app, ["night-desk", "--into", str(checkout)])
    assert done.exit_code == 0, done.output
    test = checkout / "tests/unit/agent/test_agent_night_desk.py"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "-o", "asyncio_mode=auto", str(test)],
        cwd=checkout, env={"PYTHONPATH": f"{checkout}/agent:{checkout}", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    assert "2 passed" in ran.stdout


@pytest.mark.parametrize("arguments", [["Night"], ["sales"], ["x", "--task", 'say "hi"']])
def test_what_cannot_be_written(checkout: Path, arguments: list[str]) -> None:
    """Bad names, names that are taken, text that would break the file: exit 2, nothing written."""
    before = sorted(checkout.rglob("*.*"))
    done = runner.invoke(app, [*arguments, "--into", str(checkout)])
    assert done.exit_code == 2
    assert sorted(checkout.rglob("*.*")) == before

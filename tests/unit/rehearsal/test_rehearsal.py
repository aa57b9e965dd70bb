"""Conversations by script: the verb, held against a language model that does as it is told here."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.calls import world
from tests.fakes import FakeModels

from tests import fakes
from voicestack import credentials, settings
from voicestack.rehearsal import scenario
from voicestack.rehearsal.scenario import ScenarioError, Turn

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def models() -> Iterator[FakeModels]:
    with fakes.serving() as models:
        yield models


@pytest.fixture(scope="module")
def judge() -> Iterator[FakeModels]:
    with fakes.serving() as models:
        yield models


@pytest.fixture
def environ(tmp_path: Path, models: FakeModels) -> dict[str, str]:
    """Settings of a stack that need not be up: text needs its language model alone."""
    models.tool, models.replies = None, []
    values = world.environment(tmp_path, LLM_URL=models.url, TTS_URL=models.url)
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **values}
    credentials.ensure(settings.load(tmp_path, environ=values))
    return environ


def rehearse(environ: dict[str, str], *arguments: str | Path) -> tuple[int, Any, str]:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/test_agents.py", *map(str, arguments), "--json"],
        cwd=Path(environ["LINES_FILE"]).parent, env=environ, capture_output=True, text=True,
        check=False, timeout=250,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def script(folder: Path, turns: str, agent: str = "receptionist") -> Path:
    file = folder / "script.yaml"
    file.write_text(f"agent: {agent}\nscenarios:\n  - name: one\n    turns:\n{turns}")
    return file


def test_what_has_to_come_comes(
    environ: dict[str, str], models: FakeModels, tmp_path: Path
) -> None:
    """Words, tools, the agent that speaks, over a hand-over and back to words."""
    models.tool = ("to_support", "{}")
    turns = """\
      - says: It is broken.
        calls: [to_support]
        agent: support
        hears: ["this is support"]
      - says: I want another one.
        calls: []
"""
    code, told, err = rehearse(environ, script(tmp_path, turns, "sales"), "--no-judge")
    assert code == 0, (told, err)
    assert [turn["calls"] for turn in told["conversations"][0]["turns"]] == [["to_support"], []]


def test_what_has_not_come_is_named(
    environ: dict[str, str], models: FakeModels, tmp_path: Path
) -> None:
    """Each fault of a turn, exit 1."""
    models.tool = ("opening_hours", "{}")
    turns = """\
      - says: When are you open?
        calls: []
        hears: [Tuesday]
        not_hears: [monday]
"""
    code, told, _ = rehearse(environ, script(tmp_path, turns), "--no-judge")
    assert code == 1
    assert told["conversations"][0]["turns"][0]["faults"] == [
        "heard no 'Tuesday'",
        "heard 'monday'",
        "called opening_hours, not nothing",
    ]


@pytest.mark.parametrize(
    ("answer", "code", "fault"),
    [
        (("check_intent", '{"success": true, "reason": "fine"}'), 0, ""),
        (("check_intent", '{"success": false, "reason": "rude"}'), 1, "rude"),
    ],
    ids=["passes", "does not"],
)
def test_a_judge_of_ones_own(
    environ: dict[str, str],
    judge: FakeModels,
    tmp_path: Path,
    answer: tuple[str, str],
    code: int,
    fault: str,
) -> None:
    """Another model judges, as LiveKit has it; its reason is told."""
    judge.tool = answer
    file = script(tmp_path, "      - says: Hello.\n        judge: Is polite.\n")
    seen, told, err = rehearse(environ, file, "--judge-url", judge.url)
    assert seen == code, (told, err)
    assert fault in json.dumps(told)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "agent: sales",
        "agent: sales\nscenarios: []",
        "agent: sales\nscenarios: [{name: x, turns: [{says: a, keys: '1'}]}]",
        "agent: sales\nscenarios: [{name: x, turns: [{says: a, hears: ['(']}]}]",
        "agent: sales\nscenarios: [{name: x, turns: [{says: a, herse: [x]}]}]",
        "{",
    ],
)
def test_a_script_with_a_fault_is_named(tmp_path: Path, text: str) -> None:
    """File, place, and where an example is."""
    file = tmp_path / "script.yaml"
    file.write_text(text)
    with pytest.raises(ScenarioError, match=r"script\.yaml"):
        scenario.read(file)


def test_unfit_scripts_exit_2(environ: dict[str, str], tmp_path: Path) -> None:
    """Nothing is tried."""
    code, _, err = rehearse(environ, tmp_path / "none.yaml")
    assert code == 2
    assert "none.yaml" in err


def test_a_model_that_is_down_is_a_failure(environ: dict[str, str], tmp_path: Path) -> None:
    """No stack, no model: said, and not passed."""
    down = {**environ, "LLM_URL": "http://127.0.0.1:9/v1"}
    code, told, _ = rehearse(down, script(tmp_path, "      - says: Hello.\n"), "--no-judge")
    assert code == 1
    assert told["failed"] == 1


def test_silence_is_a_fault() -> None:
    """Even where nothing is expected."""
    assert scenario.faults(Turn(says="Hello."), "", []) == ["heard nothing"]


def test_the_document_is_true(environ: dict[str, str], tmp_path: Path) -> None:
    """Every command of docs/testing-agents.md, in its order, on a checkout of its own."""
    checkout = tmp_path / "checkout"
    for folder in ("agent/voice_agent", "voicestack", "scripts", "tests/agents"):
        shutil.copytree(ROOT / folder, checkout / folder)
    shutil.copytree(ROOT / "tests/unit/agent", checkout / "tests/unit/agent")
    for file in ("pyproject.toml", "tests/__init__.py", "tests/obedient.py"):
        shutil.copy(ROOT / file, checkout / file)
    (checkout / ".venv").symlink_to(Path(sys.executable).parents[1])
    path = f"{checkout}:{checkout / 'agent'}"
    environ = {**environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    text = (ROOT / "docs/testing-agents.md").read_text()
    commands = re.findall(r"^\$ (.+?)(?:\s+#.*)?$", text, re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        if "--spoken" in command or command.startswith("make"):
            continue  # tests/calls/test_rehearsal_call.py
        done = subprocess.run(
            command, shell=True, cwd=checkout, env=environ, capture_output=True, text=True,
            check=False, timeout=250,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

"""Conversations in text: a process of the agent's own code, with the stack's language model."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voicestack.environment import service_environment
from voicestack.office import Office
from voicestack.rehearsal.result import Done, Played
from voicestack.rehearsal.scenario import Scenario, ScenarioError, ScenarioFile, faults

AGENT = Path(__file__).resolve().parents[2] / "agent"
# Longer than the agent's own limit for a conversation (voice_agent/rehearse.py).
LONGEST_S = 700.0


async def play(
    office: Office, files: Sequence[ScenarioFile], *, judge: dict[str, str] | None
) -> list[Played]:
    """Hold all conversations, in one process; `judge`: the model that judges, None for no judge."""
    asked = {"says", "keys"} | ({"judge"} if judge is not None else set())
    scripts = [
        {
            "agent": file.agent,
            "caller": each.caller,
            "turns": [turn.model_dump(include=asked) for turn in each.turns],
            "judge_with": judge or {},
        }
        for file in files
        for each in file.scenarios
    ]
    done = await _run(office, scripts)
    scenarios = [each for file in files for each in file.scenarios]
    return [_held(scenario, came) for scenario, came in zip(scenarios, done, strict=True)]


def _held(scenario: Scenario, came: dict[str, Any]) -> Played:
    """Hold what came of a conversation against what had to."""
    played = Played(scenario.name, "text", error=str(came.get("error", "")))
    for turn, each in zip(scenario.turns, came.get("turns", []), strict=False):
        found = faults(turn, each["heard"], each["calls"], each["agent"])
        if each["verdict"]:
            found.append(f"judge: {each['verdict']}")
        played.turns.append(
            Done(turn.says or f"({turn.keys})", each["heard"], each["calls"], found)
        )
    return played


async def _run(office: Office, scripts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    settings = office.settings
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            **service_environment("agent", settings),
            "STATE_DIR": folder,
            "PYTHONPATH": str(AGENT),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "voice_agent.rehearse"),
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(LONGEST_S * len(scripts)):
                out, err = await process.communicate(json.dumps(scripts).encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    try:
        return list(json.loads(out.splitlines()[-1]))
    except (ValueError, IndexError) as error:
        last = err.decode(errors="replace").strip().splitlines()[-1:] or ["nothing"]
        raise ScenarioError(
            f"the agent could not be talked to: {last[0]}", hint="does its module import?"
        ) from error

"""What a call needs is there before it rings."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests import fakes

ROOT = Path(__file__).resolve().parents[3]
# A call as far as it goes without a room: a question, its answer in sound, a word to control.
A_CALL = """
import asyncio, json, sys
from livekit.agents.ipc import _preload  # upstream's, first in every process
from voice_agent import preload
before = set(sys.modules)
from livekit.agents.utils import http_context
from voice_agent import agents, pipeline, rehearse
from voice_agent.control import Control
from voice_agent.worker import new_session, settings

async def call():
    async with rehearse.conversation("sales", settings, model=pipeline.build_llm(settings)) as talk:
        await talk.says("Are you open on Monday?")
    async with pipeline.build_tts(settings).stream() as voice:
        voice.push_text("Yes, we are open on Monday.")
        voice.end_input()
        assert [frame async for frame in voice]
    assert await Control(settings).post("/agent/beat", {}) is None
    async with http_context.open():
        http_context.http_session()

asyncio.run(call())
print(json.dumps(sorted(set(sys.modules) - before)))
"""
# Rehearsals have a job that is none.
OF_REHEARSALS = ("voice_agent.rehearse", "livekit.agents.testing", "unittest", "difflib", "pprint")


def test_a_call_imports_nothing(tmp_path: Path) -> None:
    """After the preload, the first question of a call loads no module: the caller would wait."""
    (tmp_path / "key").write_text("key-of-the-test-of-thirty-two-chars\n")
    with fakes.serving() as models:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}/agent:{ROOT}/agent/livekit-plugins-faster-whisper",
            "LIVEKIT_API_KEY_FILE": str(tmp_path / "key"),
            "LIVEKIT_API_SECRET_FILE": str(tmp_path / "key"),
            "CONTROL_URL": "http://127.0.0.1:9",
            "STATE_DIR": str(tmp_path),
            "STT_MODEL": "nowhere",
            "LLM_URL": models.url,
            "TTS_URL": models.url,
        }
        command = [sys.executable, "-c", A_CALL]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env=environment, timeout=120
        )
    late = [name for name in json.loads(done.stdout) if not name.startswith(OF_REHEARSALS)]
    assert late == []

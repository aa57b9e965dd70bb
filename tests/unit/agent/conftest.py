"""The agent's modules read settings at import of the worker; give them a world of their own."""

from pathlib import Path

import pytest

from voice_agent.settings import AgentSettings


@pytest.fixture
def agent_settings(tmp_path: Path) -> AgentSettings:
    """Settings of a worker whose models are nowhere."""
    for name in ("key", "secret"):
        (tmp_path / name).write_text(f"{name}\n")
    return AgentSettings.model_validate(
        {
            "livekit_api_key_file": tmp_path / "key",
            "livekit_api_secret_file": tmp_path / "secret",
            "stt_model": "nowhere",
            "llm_url": "http://127.0.0.1:9/v1",
            "tts_url": "http://127.0.0.1:9/v1",
            "state_dir": tmp_path,
        }
    )

"""A developer's worker takes no production call."""

import sys
from pathlib import Path

import pytest

from voice_agent import settings


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LIVEKIT_API_KEY_FILE", "LIVEKIT_API_SECRET_FILE", "STATE_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("STT_MODEL", "LLM_URL", "TTS_URL"):
        monkeypatch.setenv(name, "nowhere")
    monkeypatch.delenv("AGENT_NAME", raising=False)


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize(
    ("mode", "suffix", "name"),
    [
        ("start", None, "receptionist"),
        ("dev", None, "receptionist-dev"),
        ("dev", "", "receptionist"),
        ("dev", "-ada", "receptionist-ada"),
    ],
)
def test_the_mode_decides(
    monkeypatch: pytest.MonkeyPatch, mode: str, suffix: str | None, name: str
) -> None:
    """`dev` registers under a name of its own, unless told otherwise."""
    monkeypatch.setattr(sys, "argv", ["voice_agent", mode])
    if suffix is not None:
        monkeypatch.setenv("AGENT_DEV_SUFFIX", suffix)
    assert settings.load.__wrapped__().agent_name == name

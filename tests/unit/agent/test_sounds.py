"""Sentences made before the call."""

import wave
from pathlib import Path

import pytest

from voice_agent import sounds
from voice_agent.settings import AgentSettings


async def test_the_apology_can_be_played_without_any_model() -> None:
    """It ships with the code, and is long enough to be words."""
    frames = [frame async for frame in sounds.frames(sounds.APOLOGY_FILE)]
    assert sum(frame.duration for frame in frames) > 2.0
    assert frames[0].duration == pytest.approx(0.02)


def test_a_new_voice_makes_a_new_file(agent_settings: AgentSettings) -> None:
    """Greeting, voice and server decide the file: a change is heard at the next start."""
    other = agent_settings.model_copy(update={"tts_voice": "other"})
    assert sounds.cached(agent_settings, "Hi") != sounds.cached(other, "Hi")
    assert sounds.cached(agent_settings, "Hi") != sounds.cached(agent_settings, "Ho")


def test_half_a_file_is_never_played(tmp_path: Path) -> None:
    """What is no WAV file does not get into place."""
    with pytest.raises((wave.Error, EOFError)):
        sounds.write_atomically(tmp_path / "x.wav", b"<html>busy</html>")
    assert not (tmp_path / "x.wav").exists()


def test_a_voice_that_is_down_leaves_no_file(
    agent_settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker goes on without the file."""
    monkeypatch.setattr(sounds, "RENDER_TRIES", 1)
    monkeypatch.setattr(sounds.time, "sleep", lambda _: None)
    assert sounds.render(agent_settings, "Hi") is None

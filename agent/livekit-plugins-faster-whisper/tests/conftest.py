"""The real model, recorded speech, and a scripted engine for what must fail on purpose."""

from collections.abc import AsyncIterator

import pytest
from livekit.plugins import faster_whisper
from livekit.plugins.faster_whisper import stream as stream_module
from scripted import LoudIsSpeech, ScriptedEngine, Talk

from tests import speech


@pytest.fixture(scope="session")
def model() -> str:
    """Folder of Whisper base; its absence is a failure, because `make test` installs it."""
    folder = speech.cache_dir().parent / "models" / "whisper-base"
    if not (folder / "model.bin").is_file():
        pytest.fail(f"no Whisper model in {folder}\nhint: `make test` fetches it")
    return str(folder)


@pytest.fixture
def no_shared_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that looks at the variable starts without it."""
    monkeypatch.delenv("LIVEKIT_FASTER_WHISPER_SOCKET", raising=False)


@pytest.fixture
def engine() -> ScriptedEngine:
    """An engine that says what the test wants."""
    return ScriptedEngine()


@pytest.fixture
async def talk(engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Talk]:
    """A stream on the scripted engine that takes loudness for speech."""
    monkeypatch.setattr(stream_module, "VAD", LoudIsSpeech)
    talk = Talk(faster_whisper.STT(model="scripted", engine=engine))
    yield talk
    await talk.stream.aclose()

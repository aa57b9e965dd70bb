"""The command line: exit codes, --check, --json, settings that decide what is fetched."""

import json
from pathlib import Path

import pytest

from voicestack import settings as settings_module
from voicestack.setup import __main__ as command
from voicestack.setup.files import one_at_a_time


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VOICESTACK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LISTEN", "loopback")
    return tmp_path / "cache"


def test_check_tells_what_is_missing(capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    """Exit 1, stdout is data, stderr is talk, and nothing was made."""
    assert command.main(["--check", "--json"]) == 1
    out, err = capsys.readouterr()
    steps = {each["step"]: each for each in json.loads(out)["steps"]}
    assert steps["weights"]["state"] == "missing"
    assert steps["livekit-server"]["detail"].endswith("is not built yet")
    assert "weights" in err
    assert not cache.exists()


def test_unfit_settings_stop_everything(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2 before anything is fetched."""
    monkeypatch.setenv("MODELS_SOURCE", "floppy")
    assert command.main([]) == 2
    assert "MODELS_SOURCE" in capsys.readouterr().err


def test_models_elsewhere_are_not_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is at a URL needs no weights on this machine."""
    settings = settings_module.load(tmp_path)
    assert [kind for kind, _ in command.wanted_models(settings)] == ["stt", "llm", "tts"]
    elsewhere = {"LLM_URL": "http://10.0.0.2:8000/v1", "LLM_MODEL": "big"}
    settings = settings_module.load(tmp_path, environ=elsewhere)
    assert [kind for kind, _ in command.wanted_models(settings)] == ["stt", "tts"]


def test_two_set_ups_take_turns(tmp_path: Path) -> None:
    """The second one says that it waits, and goes on when the first is done."""
    import threading

    waits, entered, leave = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with one_at_a_time(tmp_path / "lock", lambda: None):
            entered.set()
            leave.wait(10)

    def waiting() -> None:
        waits.set()
        leave.set()

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(10)
    with one_at_a_time(tmp_path / "lock", waiting):
        assert waits.is_set()
    thread.join()

"""The engine process: one for all, started again when it dies, gone when the worker goes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from livekit.plugins import faster_whisper
from livekit.plugins.faster_whisper import remote
from livekit.plugins.faster_whisper.remote import RemoteEngine
from livekit.plugins.faster_whisper.shared import SOCKET_VARIABLE, SharedEngine
from scripted import ScriptedEngine, transcript

from faster_whisper_engine import wire
from faster_whisper_engine.transcriber import Priority, Request
from tests import speech

READY_S = 60.0  # a busy machine may take ten times the usual second


@pytest.fixture(scope="module")
def shared(model: str) -> Iterator[SharedEngine]:
    """A real engine with the real model."""
    engine = SharedEngine(model=model, compute_type="int8", threads=1, workers=2)
    assert engine.wait_ready(READY_S)
    yield engine
    engine.close()


def said(name: str, priority: Priority = Priority.FINAL) -> Request:
    """A recorded utterance as a request."""
    (utterance,) = [each for each in speech.utterances() if each.name.startswith(name)]
    return Request(utterance.samples(), priority)


GO_FORWARD = "sphinx-goforward"


async def test_jobs_share_one_model(shared: SharedEngine, model: str) -> None:
    """Two clients at a time get their answers from the same process."""
    clients = [RemoteEngine(shared.path, model=model, fallback=ScriptedEngine()) for _ in range(2)]
    found = await asyncio.gather(*(each.transcribe(said(GO_FORWARD)) for each in clients))
    assert {each.text for each in found} == {"Go forward 10 meters."}


async def test_a_killed_engine_answers_again(shared: SharedEngine, model: str) -> None:
    """A caller in the middle of a sentence loses nothing but a moment."""
    pid = shared.pid
    client = RemoteEngine(shared.path, model=model, fallback=ScriptedEngine())
    await client.transcribe(said(GO_FORWARD))
    waiting = asyncio.create_task(client.transcribe(said("sphinx-austen-0870")))
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    assert (await waiting).text
    assert await asyncio.to_thread(shared.wait_ready, READY_S)
    assert shared.pid != pid


async def test_interim_text_does_not_wait_for_an_engine(tmp_path: Path) -> None:
    """Without an engine it fails at once; it would be stale anyway."""
    client = RemoteEngine(tmp_path / "none", model="m", fallback=ScriptedEngine())
    with pytest.raises(faster_whisper.EngineError, match="no engine"):
        await client.transcribe(said(GO_FORWARD, Priority.INTERIM))


async def test_without_an_engine_the_job_decodes_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No call stays deaf, whatever became of the engine."""
    monkeypatch.setattr(remote, "HEAL_S", 0.0)
    own = ScriptedEngine()
    client = RemoteEngine(tmp_path / "none", model="m", fallback=own)
    assert (await client.transcribe(said(GO_FORWARD))).text == "text 1"


async def test_a_silent_engine_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that was stopped accepts connections and answers nothing."""
    monkeypatch.setattr(remote, "PING_S", 0.01)
    monkeypatch.setattr(remote, "SILENCE_S", 0.05)
    monkeypatch.setattr(remote, "HEAL_S", 0.0)
    path = tmp_path / "mute.sock"

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(wire.pack({"op": "hello", "id": 0, "model": "m", "pid": 1}))
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(mute, path):
        client = RemoteEngine(path, model="m", fallback=ScriptedEngine())
        assert (await client.transcribe(said(GO_FORWARD))).text == "text 1"


async def test_a_busy_engine_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it answers pings it is alive, however long a decoding takes."""
    monkeypatch.setattr(remote, "PING_S", 0.01)
    monkeypatch.setattr(remote, "SILENCE_S", 0.5)
    path = tmp_path / "busy.sock"

    async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(wire.pack({"op": "hello", "id": 0, "model": "m", "pid": 1}))
        for _ in range(10):
            message, _ = await remote._receive(reader)
            if message["op"] == "ping":
                writer.write(wire.pack({"op": "pong", "id": message["id"]}))
        writer.write(wire.of_transcript(1, transcript("at last")))
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(busy, path):
        client = RemoteEngine(path, model="m", fallback=ScriptedEngine())
        assert (await client.transcribe(said(GO_FORWARD))).text == "at last"


async def test_an_engine_with_another_model_is_not_used(shared: SharedEngine) -> None:
    """Whoever asks for a model gets that one."""
    client = RemoteEngine(shared.path, model="another", fallback=ScriptedEngine())
    assert (await client.transcribe(said(GO_FORWARD))).text == "text 1"


def test_closing_leaves_nothing(model: str, no_shared_engine: None) -> None:
    """Neither process nor socket nor variable; and a second close is none."""
    engine = faster_whisper.use_shared_engine(model=model)
    assert engine is not None
    assert os.environ[SOCKET_VARIABLE] == str(engine.path)
    assert faster_whisper.use_shared_engine(model=model) is None
    assert engine.wait_ready(READY_S)
    pid = engine.pid
    engine.close()
    engine.close()
    assert not psutil.pid_exists(pid)
    assert not engine.path.parent.exists()
    assert SOCKET_VARIABLE not in os.environ


def test_the_engine_goes_when_its_worker_is_killed(model: str) -> None:
    """A worker that dies without a word leaves no process behind."""
    script = (
        "import sys; from livekit.plugins import faster_whisper as f;"
        f"e = f.use_shared_engine(model={model!r}); assert e.wait_ready({READY_S});"
        "print(e.pid, e.path, flush=True); sys.stdin.read()"
    )
    environment = {key: value for key, value in os.environ.items() if key != SOCKET_VARIABLE}
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as worker:
        assert worker.stdout is not None
        pid, path = worker.stdout.readline().split()
        engine = psutil.Process(int(pid))
        worker.kill()
    started_s = time.monotonic()
    psutil.wait_procs([engine], timeout=10)
    assert not engine.is_running()
    assert time.monotonic() - started_s < 10
    Path(path).unlink(missing_ok=True)
    Path(path).parent.rmdir()  # nobody is left who could


def test_an_engine_without_weights_says_what_to_do(tmp_path: Path) -> None:
    """Exit 2 and a hint, not a traceback."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "faster_whisper_engine"),
            *("--model", str(tmp_path), "--socket", str(tmp_path / "s")),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "lacks model.bin" in done.stderr
    assert "hint:" in done.stderr

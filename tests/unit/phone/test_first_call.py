"""The script's exit codes and messages."""

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from voicestack.phone import Call, audio, first_call
from voicestack.phone.first_call import Order, run

from .agents import answering, tone, utterance


async def polite(call: Call) -> None:
    """Greets, and answers whatever is said."""
    await call.say(tone(0.3))
    while not call.ended.is_set():
        heard = await call.listen(until_quiet_s=0.25, timeout_s=30)
        if heard.first_audio_at is not None:
            await call.say(tone(0.4))


@pytest.fixture
def agent() -> Iterator[str]:
    """A polite agent in a thread of its own, as the script brings its own event loop."""
    address: Future[str] = Future()
    done: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        async with answering(polite) as phone:
            done.set_result((asyncio.get_running_loop(), stop))
            address.set_result(f"127.0.0.1:{phone.address[1]}")
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    yield address.result(5)
    loop, stop = done.result(5)
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without .env, whose stack does not run."""
    for name, value in {
        "STATE_DIR": tmp_path / "state",
        "VOICESTACK_CACHE": tmp_path / "cache",
        "LISTEN": "loopback",
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("STACK_PORT_BASE", "31900")
    audio.write_wav(tmp_path / "question.wav", [utterance()])
    return tmp_path


def order(*speech: str, **more) -> Order:
    return Order(list(speech), "agent", "+15105550123", **more)


def test_a_good_call(root: Path, agent: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0; the report is on stdout, progress on stderr, the recording in the state directory."""
    code = run(root, order(str(root / "question.wav"), server=agent, transcribe=False))
    out, err = capsys.readouterr()
    assert code == 0
    assert "turn 1     reply after" in out
    assert "answered after" in err
    assert len(list((root / "state" / "recordings").glob("call-*.wav"))) == 1


def test_json(root: Path, agent: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One object on stdout and nothing else; a missing model costs the words, not the call."""
    code = run(root, order(server=agent, greeting_only=True, as_json=True))
    out, err = capsys.readouterr()
    assert code == 0
    data = json.loads(out)
    assert (data["ok"], data["turns"], data["greeting"]) == (True, [], None)
    assert "nothing can be transcribed" in err


def test_text_is_spoken_by_the_stack_s_voice(
    root: Path, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is OpenAI's; what comes back is said at the right speed."""
    asked: list[dict[str, object]] = []

    class Voice(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/audio/speech"
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(np.repeat(utterance(), 3).astype("<i2").tobytes())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Voice) as server:
        threading.Thread(target=server.serve_forever).start()
        monkeypatch.setenv("TTS_URL", f"http://127.0.0.1:{server.server_port}/v1")
        try:
            code = run(root, order("Good day", server=agent, transcribe=False))
        finally:
            server.shutdown()
    assert code == 0
    assert asked[0]["input"] == "Good day"
    assert asked[0]["response_format"] == "pcm"


def test_no_voice(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the stack text cannot be spoken: exit 2, and the call is not placed."""
    assert run(root, order("Good day")) == 2
    err = capsys.readouterr().err
    assert "no voice at http://127.0.0.1:" in err
    assert "hint: start the stack" in err
    assert "calling" not in err


def test_nothing_listens(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1 at once, with what to do."""
    assert run(root, order(greeting_only=True)) == 1
    err = capsys.readouterr().err
    assert "nothing listens on UDP 127.0.0.1:31903" in err
    assert "hint: start the stack" in err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"server": "no port here:x"}, "is no address of a SIP server"),
        ({"server": "127.0.0.1:99999999"}, "is no address of a SIP server"),
        ({"user": "alice"}, "belong together"),
        ({"user": "alice", "password_file": Path("/nonexistent/pw")}, "cannot be read"),
        ({"dtmf": "12x"}, "keys are 0123456789*#ABCD"),
    ],
)
def test_bad_arguments(
    root: Path, capsys: pytest.CaptureFixture[str], more: dict[str, object], message: str
) -> None:
    """Exit 2, the argument is named, and there is a hint."""
    assert run(root, order(greeting_only=True, **more)) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "hint: " in err


def test_bad_settings(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2 with all their faults."""
    monkeypatch.setenv("SIP_PORT", "none")
    assert run(root, order(greeting_only=True)) == 2
    assert "SIP_PORT" in capsys.readouterr().err


def test_a_password_does_not_show(tmp_path: Path) -> None:
    """Neither in the order nor in what is made of it."""
    (tmp_path / "pw").write_text("wonderland\n")
    credentials = first_call._credentials(order(user="alice", password_file=tmp_path / "pw"))
    assert credentials is not None
    assert credentials.password == "wonderland"
    assert "wonderland" not in repr(credentials)

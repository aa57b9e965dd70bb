"""What each container finds in /state/config."""

import errno
import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from voicestack import credentials, settings
from voicestack.compose import __main__ as compose
from voicestack.compose.__main__ import checked
from voicestack.compose.handout import hand_out, probe, variables
from voicestack.credentials import Credentials
from voicestack.errors import LinesError, SettingsError
from voicestack.native.paths import Paths

ROOT = Path(__file__).resolve().parents[3]
SERVICES = ("redis", "livekit", "sip", "control", "models", "agent", "caddy", "registrar", "egress",
            "ingress")  # fmt: skip


def handed(tmp_path: Path, **environ: str) -> tuple[Path, Credentials]:
    to = tmp_path / "handed"
    for name in SERVICES:
        (to / name).mkdir(parents=True)
    held = settings.load(tmp_path, environ={"STATE_DIR": str(tmp_path / "state"), **environ})
    secrets = credentials.ensure(held)
    hand_out(held, secrets, Paths.of(held, ROOT), to)
    return to, secrets


def holders(to: Path, secret: str) -> set[str]:
    """Services one of whose files has the secret."""
    files = [path for path in to.rglob("*") if path.is_file()]
    return {path.relative_to(to).parts[0] for path in files if secret in path.read_text()}


def test_a_secret_goes_to_those_who_use_it(tmp_path: Path) -> None:
    """Caddy and the models have none, the agent has no way to Redis; files are their owner's."""
    to, secrets = handed(tmp_path)
    assert holders(to, secrets.livekit_api_secret) == {"livekit", "sip", "agent"}
    assert holders(to, secrets.redis_password) == {"redis", "livekit", "sip"}
    assert holders(to, secrets.control_secret) == set()
    modes = {path.stat().st_mode & 0o777 for path in to.rglob("*") if path.is_file()}
    assert modes == {0o600}


def test_a_key_for_another_server_reaches_the_agent_alone(tmp_path: Path) -> None:
    """LLM_API_KEY_FILE is copied, and named as the container sees it."""
    key = tmp_path / "key"
    key.write_text("a-key-of-somebody")
    key.chmod(0o600)
    to, _ = handed(tmp_path, LLM_URL="http://192.0.2.1/v1", LLM_API_KEY_FILE=str(key))
    assert holders(to, "a-key-of-somebody") == {"agent"}
    wanted = f"LLM_API_KEY_FILE={tmp_path}/state/config/llm_api_key"
    assert wanted in (to / "agent/agent.env").read_text()


def test_control_gets_that_key_only_if_it_asks_the_model(tmp_path: Path) -> None:
    """CALL_SUMMARY=on."""
    key = tmp_path / "key"
    key.write_text("a-key-of-somebody")
    key.chmod(0o600)
    more = {"LLM_URL": "http://192.0.2.1/v1", "LLM_API_KEY_FILE": str(key)}
    to, _ = handed(tmp_path, CALL_SUMMARY="on", **more)
    assert holders(to, "a-key-of-somebody") == {"agent", "control"}
    assert str(key) not in (to / "control/control.env").read_text()


def test_a_model_that_is_elsewhere_idles(tmp_path: Path) -> None:
    """LLM_URL: the container of the local model sleeps, and counts as healthy."""
    to, _ = handed(tmp_path, LLM_URL="http://192.0.2.1/v1")
    assert "exec sleep infinity" in (to / "models/llm.env").read_text()
    assert subprocess.run(["bash", to / "models/llm.health"], check=False).returncode == 0
    assert "TTS_VOICE_FILE=" in (to / "models/tts.env").read_text()


def test_variables_survive_a_shell() -> None:
    """An apostrophe or a dollar in the name of a business is text."""
    value = 'Joe\'s $HOME `date` "Bar"'
    script = variables({"NAME": value}) + 'printf %s "$NAME"'
    assert subprocess.check_output(["sh", "-c", script], text=True) == value


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    """Answers 200 at /good, 503 elsewhere."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/good" else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.mark.parametrize(("path", "code"), [("/good", 0), ("/bad", 1)])
def test_the_probe_tells_200_from_the_rest(
    server: http.server.HTTPServer, path: str, code: int
) -> None:
    """bash alone: no image has to have curl."""
    ready = {"http_get": {"host": "127.0.0.1", "port": str(server.server_address[1]), "path": path}}
    assert subprocess.run(["bash", "-c", probe(ready)], check=False).returncode == code


def test_the_probe_fails_where_nobody_listens() -> None:
    """A closed port is no health."""
    ready = {"http_get": {"host": "127.0.0.1", "port": "1", "path": "/"}}
    done = subprocess.run(["bash", "-c", probe(ready)], check=False, capture_output=True)
    assert done.returncode == 1


def checkout(tmp_path: Path, env: str, lines: str) -> Path:
    (tmp_path / "sip").mkdir()
    (tmp_path / "sip/lines.yaml").write_text(lines)
    (tmp_path / ".env").write_text(f"{env}\nSTATE_DIR={tmp_path}/state\n")
    return tmp_path


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ("MAX_CALS=3", ".env:1: MAX_CALS"),
        ("MAX_CALLS=many", ".env:1: MAX_CALLS: 'many': must be 1 to 90"),
        ("SIP_PORT=10001", "sip and sip_rtp both want this port"),
        ("LINES_FILE=/etc/lines.yaml", "lies outside sip/"),
    ],
)
def test_a_bad_setting_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env: str, told: str
) -> None:
    """File, line, key, fix."""
    for name in ("STATE_DIR", "LINES_FILE", "SIP_PORT", "MAX_CALLS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError) as raised:
        checked(checkout(tmp_path, env, "version: 1\nlines: []\n"))
    assert told in raised.value.report()
    assert "hint:" in raised.value.report()


def test_a_bad_line_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number that is not E.164, and a key that does not exist, in one report."""
    monkeypatch.delenv("STATE_DIR", raising=False)
    lines = 'version: 1\nlines:\n  - number: "5550100"\n    callers: {form: [lan]}\n'
    with pytest.raises(LinesError) as raised:
        checked(checkout(tmp_path, "", lines))
    assert "lines.yaml:3" in raised.value.report()
    assert "form" in raised.value.report()


def test_a_full_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which file, what it means, what to do; no traceback in `docker compose logs setup`."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/handed/sip/sip.yaml")

    for name in ("STATE_DIR", "LINES_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(compose, "set_up", lambda *_, **__: 0)
    monkeypatch.setattr(compose, "hand_out", full)
    assert compose.main(checkout(tmp_path, "", "version: 1\nlines: []\n")) == 1
    told = capsys.readouterr().err
    assert "/handed/sip/sip.yaml: No space left on device" in told
    assert "docker system df" in told

"""Backup and restore: everything that cannot be made again, checked, to one owner alone."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pyrage
import pytest

from voicestack import backup, credentials, settings
from voicestack.backup import BackupError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _no_settings_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATE_DIR", "LINES_FILE"):
        monkeypatch.delenv(name, raising=False)


def machine(folder: Path) -> settings.Settings:
    """A checkout whose stack has run: secrets, history, a recording, logs, Redis."""
    (folder / "sip").mkdir(parents=True)
    (folder / ".env").write_text("MAX_CALLS=7\n")
    (folder / "sip/lines.yaml").write_text("version: 1\nlines: []\n")
    held = settings.load(folder)
    credentials.ensure(held)
    for name in ("recordings/call.wav", "logs/agent.log", "redis/appendonly.aof", "run/mark"):
        (held.state_dir / name).parent.mkdir(exist_ok=True)
        (held.state_dir / name).write_text(name)
    with closing(sqlite3.connect(held.state_dir / "history.db")) as history, history:
        history.execute("CREATE TABLE calls (number TEXT)")
        history.execute("INSERT INTO calls VALUES ('+15550100')")
    return held


def calls(state: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(state / "history.db")) as history:
        return history.execute("SELECT number FROM calls").fetchall()


def test_what_was_there_is_there_again(tmp_path: Path) -> None:
    """Settings, lines, secrets, history and recordings; not logs, not Redis, not what runs."""
    old = machine(tmp_path / "old")
    file = tmp_path / "backup"
    # A change that is still in the write-ahead log belongs to it.
    with closing(sqlite3.connect(old.state_dir / "history.db")) as live:
        live.execute("PRAGMA journal_mode=WAL")
        live.execute("INSERT INTO calls VALUES ('+15550101')")
        live.commit()
        report = backup.make(old, file)
    assert report.files == 2 + len(credentials.NAMES) + 2
    assert file.stat().st_mode & 0o777 == 0o600
    new_root = tmp_path / "new"
    new_root.mkdir()
    backup.restore(new_root, file)
    new = settings.load(new_root)
    assert new.max_calls == 7
    assert credentials.read(new) == _moved(old, new)
    assert (new.state_dir / "recordings/call.wav").read_text() == "recordings/call.wav"
    assert new.lines_file.read_text() == old.lines_file.read_text()
    assert calls(new.state_dir) == [("+15550100",), ("+15550101",)]
    assert not {"logs", "redis", "run"} & {path.name for path in new.state_dir.iterdir()}


def _moved(old: settings.Settings, new: settings.Settings) -> credentials.Credentials:
    secrets = credentials.read(old)
    values = {name: getattr(secrets, name) for name in credentials.NAMES}
    return credentials.Credentials(directory=credentials.directory_of(new), **values)


def test_only_the_recipient_can_read_it(tmp_path: Path) -> None:
    """No secret stands in the file; another key, or none, does not open it and touches nothing."""
    old = machine(tmp_path / "old")
    owner, stranger = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    file, new = tmp_path / "backup", tmp_path / "new"
    new.mkdir()
    backup.make(old, file, recipient=str(owner.to_public()))
    assert credentials.read(old).redis_password.encode() not in file.read_bytes()
    key, other = tmp_path / "key.txt", tmp_path / "other.txt"
    key.write_text(f"# created: today\n{owner}\n")
    other.write_text(f"{stranger}\n")
    for identity in (None, other, tmp_path / "absent"):
        with pytest.raises(BackupError):
            backup.restore(new, file, identity=identity)
    assert list(new.iterdir()) == []
    backup.restore(new, file, identity=key)
    assert credentials.read(settings.load(new)).redis_password


def test_a_stack_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    """Its secrets would be lost."""
    old, new = machine(tmp_path / "old"), machine(tmp_path / "new")
    before = credentials.read(new)
    backup.make(old, tmp_path / "backup")
    with pytest.raises(BackupError, match="holds secrets already"):
        backup.restore(new.root, tmp_path / "backup")
    assert credentials.read(new) == before


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9])
def test_half_a_backup_is_refused_whole(tmp_path: Path, share: float) -> None:
    """A copy that broke off."""
    backup.make(machine(tmp_path / "old"), tmp_path / "backup")
    whole = (tmp_path / "backup").read_bytes()
    (tmp_path / "backup").write_bytes(whole[: int(len(whole) * share)])
    new = tmp_path / "new"
    new.mkdir()
    with pytest.raises(BackupError):
        backup.restore(new, tmp_path / "backup")
    assert list(new.iterdir()) == []


def test_nothing_to_put_into_it(tmp_path: Path) -> None:
    """A checkout that never ran."""
    with pytest.raises(BackupError, match="no secrets"):
        backup.make(settings.load(tmp_path), tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_a_bad_recipient_is_told(tmp_path: Path) -> None:
    """Seen, meaning, what to do; no file in clear is left."""
    with pytest.raises(BackupError, match="no public key of age"):
        backup.make(machine(tmp_path / "old"), tmp_path / "backup", recipient="age1nonsense")
    assert not (tmp_path / "backup").exists()


def test_the_scripts_speak(tmp_path: Path) -> None:
    """Exit codes and JSON of both."""
    held = machine(tmp_path / "old")
    environ = {"PATH": os.environ["PATH"], "STATE_DIR": str(held.state_dir)}
    command = [sys.executable, str(ROOT / "scripts/backup.py"), str(tmp_path / "backup"), "--json"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert '"encrypted": false' in done.stdout
    assert "secrets in clear" in done.stderr
    command = [sys.executable, str(ROOT / "scripts/restore.py"), str(tmp_path / "backup")]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "hint:" in done.stderr

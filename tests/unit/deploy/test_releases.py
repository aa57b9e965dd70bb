"""Releases on disk: what a worker runs does not change while it runs."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from voicestack.deploy import releases
from voicestack.deploy.releases import CODE, SLOTS, Deploy, State
from voicestack.errors import VoicestackError
from voicestack.native.paths import Paths


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one module."""
    folder = tmp_path / "checkout"
    for part in CODE:
        (folder / part).mkdir(parents=True)
    (folder / "agent/voice_agent/words.py").write_text("HELLO = 'old'\n")
    (folder / "requirements").mkdir()
    return folder


@pytest.fixture
def paths(tmp_path: Path, checkout: Path) -> Paths:
    return Paths(root=checkout, state=tmp_path / "state", cache=tmp_path / "cache")


def test_a_release_is_a_copy(paths: Paths, checkout: Path) -> None:
    """What is written into the checkout afterwards, no worker of the release sees."""
    release = releases.make(paths, checkout, {"BUSINESS_NAME": "Joe's $HOME"})
    words = checkout / "agent/voice_agent/words.py"
    words.write_text("HELLO = 'new'\n")
    copied = paths.releases / release.name / "agent/voice_agent/words.py"
    assert copied.read_text() == "HELLO = 'old'\n"
    assert releases.load(paths, release.name) == release
    assert releases.make(paths, checkout, {}).version != release.version


def test_the_start_of_a_worker(paths: Paths, checkout: Path, tmp_path: Path) -> None:
    """Its own code before the checkout's, its own settings, whatever stands in them."""
    (tmp_path / "checkout/.venv/bin").mkdir(parents=True)
    python = paths.python
    python.write_text('#!/bin/sh\nprintf "%s|%s|%s" "$PYTHONPATH" "$BUSINESS_NAME" "$*"\n')
    python.chmod(0o700)
    release = releases.make(paths, checkout, {"BUSINESS_NAME": "Joe's $HOME"})
    releases.place(paths, SLOTS[1], release.name)
    said = subprocess.check_output(["sh", str(paths.slot(SLOTS[1]) / "run")], text=True)
    code, name, arguments = said.split("|")
    assert code.split(":")[0] == str(paths.releases / release.name / "agent")
    assert (name, arguments) == ("Joe's $HOME", "-m voice_agent start")


def test_a_file_that_is_no_python_makes_no_release(paths: Paths, checkout: Path) -> None:
    """Nothing half-made is left."""
    (checkout / "agent/voice_agent/broken.py").write_text("def (:\n")
    with pytest.raises(VoicestackError, match="no Python"):
        releases.make(paths, checkout, {})
    assert list(paths.releases.iterdir()) == []


def test_what_is_no_checkout_is_said(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises(VoicestackError, match="has no agent/voice_agent"):
        releases.make(paths, tmp_path / "elsewhere", {})


def test_a_committed_version_is_named_by_its_commit(paths: Paths, checkout: Path) -> None:
    """An uncommitted file makes another version of it."""
    for part in CODE:
        (checkout / part / "__init__.py").touch()
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "one"]):
        subprocess.run(["git", "-C", str(checkout), *command], check=True)
    commit = subprocess.check_output(
        ["git", "-C", str(checkout), "describe", "--always"], text=True
    ).strip()
    assert releases.make(paths, checkout, {}).version == commit
    (checkout / "agent/voice_agent/more.py").touch()
    assert releases.make(paths, checkout, {}).version.startswith(f"{commit}-")


def test_state_survives(paths: Paths) -> None:
    """Written whole; the slot on duty is also what workers read."""
    assert releases.read(paths) == State()
    state = State(SLOTS[1], {SLOTS[1]: "b"}, "a", Deploy("draining", SLOTS[1], "b", "z"))
    releases.write(paths, state)
    assert releases.read(paths) == state
    assert (paths.run / "on-duty").read_text().strip() == SLOTS[1]
    (paths.releases / "state.json").write_text("")
    with pytest.raises(VoicestackError, match="cannot be read"):
        releases.read(paths)


@pytest.mark.parametrize(
    ("state", "slots"),
    [
        (State(), ["agent"]),
        (State("agent-b"), ["agent-b"]),
        (State("agent", deploy=Deploy("trial", "agent-b", "x")), ["agent", "agent-b"]),
        (State("agent-b", deploy=Deploy("draining", "agent-b", "x")), ["agent-b", "agent"]),
        (State("agent", deploy=Deploy("draining", "agent-b", "x")), ["agent", "agent-b"]),
    ],
)
def test_slots_in_use(state: State, slots: list[str]) -> None:
    """The one on duty first."""
    assert list(state.slots) == slots


def test_a_stack_that_starts_is_the_checkouts(paths: Paths) -> None:
    """Whatever a crash has left; the version before can be gone back to."""
    first = releases.fresh(paths, {})
    words = paths.root / "agent/voice_agent/words.py"
    words.write_text("HELLO = 'new'\n")
    releases.write(paths, replace(releases.read(paths), deploy=Deploy("trial", SLOTS[1], "x")))
    releases.fresh(paths, {})
    second = releases.fresh(paths, {})  # of the same version: nothing to go back to
    state = releases.read(paths)
    assert (state.on_duty, state.deploy, state.previous) == (SLOTS[0], None, first.name)
    assert paths.slot(SLOTS[0]).readlink() == paths.releases / second.name


def test_old_releases_are_forgotten(paths: Paths) -> None:
    """But not the one to go back to."""
    names = []
    for number in range(releases.KEPT + 3):
        (paths.root / "agent/voice_agent/words.py").write_text(f"HELLO = {number}\n")
        names.append(releases.fresh(paths, {}).name)
    left = {each.parent.name for each in paths.releases.glob("*/run")}
    assert len(left) == releases.KEPT
    assert set(names[-2:]) <= left
    shutil.rmtree(paths.releases / names[-1])
    with pytest.raises(VoicestackError, match="there is no release"):
        releases.load(paths, names[-1])


def test_the_release_tells_what_it_is(paths: Paths, checkout: Path) -> None:
    release = releases.make(paths, checkout, {})
    told = json.loads((paths.releases / release.name / "release.json").read_text())
    assert told["version"] == release.version
    assert f"AGENT_VERSION={release.version}" in (paths.releases / release.name / "run").read_text()

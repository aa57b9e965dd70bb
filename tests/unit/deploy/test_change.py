"""A deploy against workers that do as they are told, or do not."""

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from voicestack.deploy import change as changes
from voicestack.deploy import releases
from voicestack.deploy.change import Change, DeployError, Manner
from voicestack.deploy.releases import CODE, SLOTS, Deploy, State
from voicestack.deploy.runtime import Look
from voicestack.deploy.trial import TrialError
from voicestack.native.paths import Paths
from voicestack.office import Office
from voicestack.phone.conversation import CallReport

OLD, NEW = SLOTS


class World:
    """Two slots, what control tells of them, and what becomes of test calls."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.lives = {OLD: 1, NEW: 0}  # 0: does not run
        self.calls = {OLD: [0], NEW: [0]}  # one for each look, the last one stays
        self.did: list[str] = []
        self.dies_at_start = False
        self.dies_on_duty = False

    async def alive(self) -> bool:
        return True

    def place(self, slot: str, placed: Mapping[str, str]) -> None:
        releases.place(self.paths, slot, placed[slot])

    async def switch(self, slot: str) -> None:
        assert slot == self.on_duty()

    async def start(self, slot: str) -> None:
        self.did.append(f"start {slot}")
        self.lives[slot] += 1

    async def promote(self, slot: str) -> None:
        self.did.append(f"promote {slot}")

    async def stop(self, slot: str) -> None:
        self.did.append(f"stop {slot}")
        self.lives[slot] = 0

    async def look(self, slot: str) -> Look:
        life = self.lives[slot]
        if slot == NEW and life and self.dies_at_start:
            self.lives[slot] += 1
        if slot == NEW and life == 1 and self.dies_on_duty and self.on_duty() == NEW:
            self.lives[slot] = 2
        ready = bool(life) and not (slot == NEW and self.dies_at_start)
        return Look(bool(life), ready, str(life))

    def on_duty(self) -> str:
        return releases.read(self.paths).on_duty

    async def control(self, _path: str) -> dict[str, Any]:
        state = releases.read(self.paths)
        return {"workers": [self._worker(slot, state) for slot in state.releases | _placed(state)]}

    def _worker(self, slot: str, state: State) -> dict[str, Any]:
        calls = self.calls[slot].pop(0) if len(self.calls[slot]) > 1 else self.calls[slot][0]
        name = (state.releases | _placed(state))[slot]
        return {
            "slot": slot,
            "host": socket.gethostname(),
            "alive": True,
            "version": releases.load(self.paths, name).version,
            "started_at": 1.0,
            "heard_s_ago": 0.1,
            "calls": calls,
        }


def _placed(state: State) -> dict[str, str]:
    return {state.deploy.slot: state.deploy.release} if state.deploy else {}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    for part in CODE:
        (tmp_path / "checkout" / part).mkdir(parents=True)
    return Paths(root=tmp_path / "checkout", state=tmp_path / "state", cache=tmp_path)


@pytest.fixture
def world(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> World:
    """A stack that runs; test calls go well."""
    made = World(paths)
    releases.fresh(paths, {})
    monkeypatch.setattr(changes, "POLL_S", 0.001)
    monkeypatch.setattr(changes, "START_S", 0.5)

    async def prove(*_: object) -> CallReport:
        made.did.append(f"call, {made.on_duty()} on duty")
        return CallReport("trial", ("127.0.0.1", 1), "completed", "", answered_ms=100.0)

    async def remove_lines(_office: object) -> None:
        made.did.append("remove lines")

    monkeypatch.setattr(changes, "prove", prove)
    monkeypatch.setattr(changes, "remove_lines", remove_lines)
    return made


def change(world: World) -> Change:
    manner = Manner(("receptionist",), (), watch_s=0)
    return Change(cast("Office", world), world.paths, world, manner, lambda _: None)


def another_release(world: World) -> releases.Release:
    (world.paths.root / "agent/voice_agent/more.py").write_text(str(len(world.did)))
    return releases.make(world.paths, world.paths.root, {})


async def test_a_deploy(world: World) -> None:
    """Proved before it is on duty; the old one ends when it has no call left."""
    before = releases.read(world.paths)
    world.calls[OLD] = [2, 2, 1, 1, 0]
    release = another_release(world)
    outcome = await change(world).to(release)
    assert world.did == [f"start {NEW}", f"promote {NEW}", f"call, {OLD} on duty", f"stop {OLD}"]
    assert world.calls[OLD] == [0]
    assert (outcome.result, outcome.version) == ("deployed", release.version)
    state = releases.read(world.paths)
    assert (state.on_duty, state.deploy) == (NEW, None)
    assert state.releases == {NEW: release.name}
    assert state.previous == before.releases[OLD]


async def test_a_failed_test_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has changed, and what to go back to neither."""
    before = releases.read(world.paths)

    async def fails(*_: object) -> CallReport:
        raise TrialError("no greeting")

    monkeypatch.setattr(changes, "prove", fails)
    outcome = await change(world).to(another_release(world))
    assert (outcome.result, outcome.reason) == ("rolled back", "no greeting")
    assert world.did[-2:] == ["remove lines", f"stop {NEW}"]
    assert releases.read(world.paths) == before


async def test_a_worker_that_dies_at_its_start(world: World) -> None:
    """It is not waited for: the supervisor would start it again and again."""
    world.dies_at_start = True
    outcome = await change(world).to(another_release(world))
    assert "died at its start" in outcome.reason
    assert world.did[-1] == f"stop {NEW}"
    assert world.on_duty() == OLD


async def test_a_worker_that_dies_on_duty(world: World) -> None:
    """The old one, which still has a call, takes new ones again."""
    before = releases.read(world.paths)
    world.calls[OLD] = [1]
    world.dies_on_duty = True
    outcome = await change(world).to(another_release(world))
    assert (outcome.result, outcome.reason) == ("rolled back", "the new worker died")
    assert world.did[-1] == f"stop {NEW}"
    assert releases.read(world.paths) == before


async def crashed(world: World, phase: str, on_duty: str) -> State:
    """What a command that died has left; the state before it."""
    before = releases.read(world.paths)
    release = another_release(world)
    await world.start(NEW)
    held = before.releases if phase == "trial" else {**before.releases, NEW: release.name}
    previous = before.releases[OLD] if on_duty == NEW else before.previous
    under_way = Deploy(phase, NEW, release.name, before.previous)
    releases.write(world.paths, State(on_duty, held, previous, under_way))
    return before


@pytest.mark.parametrize(("phase", "on_duty"), [("trial", OLD), ("draining", NEW)])
async def test_abort_after_a_crash(world: World, phase: str, on_duty: str) -> None:
    """Whatever the deploy had reached when its command died."""
    before = await crashed(world, phase, on_duty)
    outcome = await change(world).abort()
    assert outcome.result == "rolled back"
    assert world.did[-1] == f"stop {NEW}"
    assert releases.read(world.paths) == before
    with pytest.raises(DeployError, match="no deploy is under way"):
        await change(world).abort()


@pytest.mark.parametrize(
    ("phase", "on_duty", "left"),
    [("trial", OLD, OLD), ("draining", NEW, NEW), ("draining", OLD, OLD)],
)
async def test_the_next_deploy_ends_the_one_before(
    world: World, phase: str, on_duty: str, left: str
) -> None:
    """Finished if it had switched, undone if it had not."""
    await crashed(world, phase, on_duty)
    await change(world).recover()
    state = releases.read(world.paths)
    assert (state.on_duty, state.deploy) == (left, None)
    assert world.did[-1] == f"stop {OLD if left == NEW else NEW}"


async def test_a_stack_of_an_earlier_version(world: World) -> None:
    """It has no releases: nothing is touched."""
    releases.write(world.paths, State())
    with pytest.raises(DeployError, match="could not deploy"):
        await change(world).to(another_release(world))
    assert world.did == []


async def test_calls_that_nobody_knows_of_are_waited_for(world: World) -> None:
    """control is away for a moment: that is not the same as no calls."""
    asked = iter([False, False, True])

    known = world.control

    async def control(path: str) -> dict[str, Any]:
        told = await known(path)
        if world.on_duty() == NEW and not next(asked, True):
            return {"workers": []}
        return told

    world.control = control  # type: ignore[method-assign]
    assert (await change(world).to(another_release(world))).result == "deployed"
    assert json.loads((world.paths.releases / "state.json").read_text())["on_duty"] == NEW

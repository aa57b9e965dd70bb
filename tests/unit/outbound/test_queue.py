"""A queue of calls: what is dialled when, and what a kill leaves."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from voicestack.errors import VoicestackError
from voicestack.outbound import queue as queues
from voicestack.outbound.dial import Outcome
from voicestack.outbound.policy import Policy, Retry
from voicestack.outbound.queue import Runner, is_well, summary
from voicestack.outbound.queue_hands import QueueBusyError, locked
from voicestack.outbound.queue_store import QueueStore, Row
from voicestack.outbound.rules import Rules, Trunk

RULES = Rules(
    trunks=(Trunk("carrier", "127.0.0.1", "udp", "+15550100"),),
    allow=("+1510",),
    do_not_call=frozenset({"+15105550199"}),
)
QUICK = Policy(pace_s=0, retries={"busy": Retry(3, 300), "carrier error": Retry(2, 60)})
NUMBERS = tuple(f"+151055501{n:02}" for n in range(20))


class Killed(BaseException):
    """The process is gone at this point: nothing of ours runs any more."""


class World:
    """A carrier that answers as told, a history, and a clock that goes on by itself."""

    def __init__(self, results: dict[str, list[str]] | None = None) -> None:
        self.results = results or {}
        self.known: dict[str, Outcome] = {}
        self.invited: list[str] = []
        self.now = 1_800_000_000.0
        self.up = self.most_up = 0
        self.kill_before: Callable[[str], bool] = lambda _: False
        self.kill_after: Callable[[str], bool] = lambda _: False
        self.limits = RULES
        self.broken: str = ""

    def clock(self) -> float:
        self.now += 1.0
        return self.now

    def rules(self) -> Rules:
        return self.limits

    async def call(
        self, row: Row, rules: Rules, room: str, about_to_ring: Callable[[], None]
    ) -> Outcome:
        self.up += 1
        self.most_up = max(self.up, self.most_up)
        try:
            await asyncio.sleep(0)
            if self.broken:
                raise VoicestackError(self.broken)
            if self.kill_before(row.number):
                raise Killed
            about_to_ring()
            self.invited.append(row.number)
            listed = self.results.get(row.number, [])
            outcome = Outcome(listed.pop(0) if listed else "answered", room, 200, "OK")
            self.known[room] = outcome
            if self.kill_after(row.number):
                raise Killed
            return outcome
        finally:
            self.up -= 1

    async def found(self, room: str) -> Outcome | None:
        return self.known.get(room)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "LOOK_S", 0.0)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def store(tmp_path: Path, world: World) -> Iterator[QueueStore]:
    with closing(QueueStore(tmp_path / "dials.sqlite", world.clock)) as store:
        yield store


def rows(*numbers: str) -> list[Row]:
    return [Row(line, number, "{}") for line, number in enumerate(numbers, 2)]


async def run(world: World, store: QueueStore, policy: Policy = QUICK) -> list[str]:
    said: list[str] = []
    await Runner("q", store, world, policy, said.append, world.clock).run()
    return said


def states(store: QueueStore) -> dict[str, str]:
    return {each["number"]: each["result"] or each["state"] for each in store.calls("q")}


async def test_every_number_is_called_once_in_the_order_of_the_file(
    world: World, store: QueueStore
) -> None:
    """And a second run finds nothing to do."""
    store.load("q", rows(*NUMBERS))
    await run(world, store)
    assert world.invited == list(NUMBERS)
    assert summary(store.calls("q")) == {"answered": 20}
    assert is_well(store.calls("q"))
    await run(world, store)
    assert world.invited == list(NUMBERS)


async def test_retries_are_by_result(world: World, store: QueueStore) -> None:
    """Busy thrice and no more; declined is the last word; busy and then answered is answered."""
    world.results = {
        NUMBERS[0]: ["busy"] * 9, NUMBERS[1]: ["declined"], NUMBERS[2]: ["busy", "answered"],
    }  # fmt: skip
    store.load("q", rows(*NUMBERS[:3]))
    began = world.now
    await run(world, store)
    assert [world.invited.count(number) for number in NUMBERS[:3]] == [3, 1, 2]
    assert states(store) == dict(zip(NUMBERS[:3], ("busy", "declined", "answered"), strict=True))
    assert world.now - began > 2 * 300


async def test_refused_numbers_are_never_dialled(world: World, store: QueueStore) -> None:
    """Each with its reason; the rest goes on."""
    store.load("q", rows("+19005550123", "+15105550199", "+14155550123", NUMBERS[0]))
    await run(world, store)
    assert world.invited == [NUMBERS[0]]
    refused = [each for each in store.calls("q") if each["state"] == "refused"]
    assert len(refused) == 3
    assert all(each["reason"] for each in refused)
    assert is_well(store.calls("q"))


async def test_caps_postpone_and_lose_nobody(world: World, store: QueueStore) -> None:
    """Three an hour: the fourth waits, and comes."""
    world.limits = replace(RULES, per_hour=3)
    store.load("q", rows(*NUMBERS[:4]))
    began = world.now
    said = await run(world, store)
    assert world.invited == list(NUMBERS[:4])
    assert world.now - began > 3000
    assert any("3 is the most" in each for each in said)


async def test_a_number_put_on_the_list_in_mid_run_is_not_called(
    world: World, store: QueueStore
) -> None:
    """The rules are read before each call."""
    store.load("q", rows(*NUMBERS[:2]))
    plain = world.call

    async def call(*arguments: object) -> Outcome:
        world.limits = replace(RULES, do_not_call=frozenset({NUMBERS[1]}))
        return await plain(*arguments)  # type: ignore[arg-type]

    world.call = call  # type: ignore[method-assign]
    await run(world, store)
    assert world.invited == [NUMBERS[0]]


async def test_no_more_at_once_than_asked_for(world: World, store: QueueStore) -> None:
    """Three lines carry three calls."""
    store.load("q", rows(*NUMBERS))
    await run(world, store, replace(QUICK, at_once=3))
    assert world.most_up == 3
    assert sorted(world.invited) == sorted(NUMBERS)


async def test_a_dead_carrier_pauses_and_stops_the_run(world: World, store: QueueStore) -> None:
    """Whoever was not reached waits for the next run, and nobody was given up for it."""
    world.results = {number: ["carrier error"] * 2 for number in NUMBERS}
    store.load("q", rows(*NUMBERS))
    policy = replace(QUICK, pause_after=2, most_pauses=1)
    said = await run(world, store, policy)
    assert len(world.invited) == 4
    assert sum("pause" in each for each in said) >= 2
    assert summary(store.calls("q"))["waiting"] >= 16
    world.results = {}
    await run(world, store, policy)
    assert summary(store.calls("q")) == {"answered": 20}


async def test_a_server_that_is_down_is_not_taken_out_on_the_people(
    world: World, store: QueueStore
) -> None:
    """Nothing was sent: `failed`, and the run stops before the list is used up."""
    world.broken = "livekit cannot be reached"
    store.load("q", rows(*NUMBERS))
    await run(world, store, replace(QUICK, pause_after=2, most_pauses=0))
    assert world.invited == []
    assert not is_well(store.calls("q"))


@pytest.mark.parametrize("moment", ["before the INVITE", "after it"])
@pytest.mark.parametrize("victim", [0, 7, 19])
async def test_killed_and_started_again(
    world: World, store: QueueStore, tmp_path: Path, moment: str, victim: int
) -> None:
    """Nobody is dialled twice and nobody is forgotten; history tells what came of the open call."""
    store.load("q", rows(*NUMBERS))
    hit = {"before the INVITE": "kill_before", "after it": "kill_after"}[moment]
    setattr(world, hit, lambda number: number == NUMBERS[victim])
    with pytest.raises((Killed, BaseExceptionGroup)):
        await run(world, store, replace(QUICK, at_once=2))
    setattr(world, hit, lambda _: False)
    with closing(QueueStore(tmp_path / "dials.sqlite", world.clock)) as again:
        again.load("q", rows(*NUMBERS))
        await run(world, again)
        assert sorted(world.invited) == sorted(NUMBERS)
        assert summary(again.calls("q")) == {"answered": 20}


async def test_what_nobody_knows_is_not_dialled_again(world: World, store: QueueStore) -> None:
    """Until the operator says so."""
    store.load("q", rows(*NUMBERS[:2]))
    world.kill_after = lambda number: number == NUMBERS[0]
    with pytest.raises((Killed, BaseExceptionGroup)):
        await run(world, store)
    world.known.clear()
    world.kill_after = lambda _: False
    said = await run(world, store)
    assert states(store)[NUMBERS[0]] == "unknown"
    assert any("not dialled again" in each for each in said)
    assert not is_well(store.calls("q"))
    assert store.redial_unknown("q") == 1
    await run(world, store)
    assert world.invited.count(NUMBERS[0]) == 2
    assert is_well(store.calls("q"))


async def test_a_changed_file(world: World, store: QueueStore) -> None:
    """What it no longer names is not called, what is new is, what is done stays done."""
    store.load("q", rows(*NUMBERS[:3]))
    store.load("q", rows(NUMBERS[0], NUMBERS[3]))
    await run(world, store)
    assert world.invited == [NUMBERS[0], NUMBERS[3]]
    store.load("q", rows(*NUMBERS[:2]))
    await run(world, store)
    assert world.invited == [NUMBERS[0], NUMBERS[3], NUMBERS[1]]
    assert store.forget("q") == 4
    assert store.calls("q") == []


def test_one_process_at_a_queue(tmp_path: Path) -> None:
    """The second is told; a lock that a kill left behind holds nobody up."""
    with (
        locked(tmp_path, "q"),
        locked(tmp_path, "other"),
        pytest.raises(QueueBusyError),
        locked(tmp_path, "q"),
    ):
        pass
    with locked(tmp_path, "q"):
        pass

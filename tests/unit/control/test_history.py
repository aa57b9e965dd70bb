"""Call history: what happened, masked as set, forgotten in time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from control.history import DAY_S, FRESH_S, PRUNE_S, History, Keep, masked

ROOM = "call-_+15550100_x"


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@contextlib.asynccontextmanager
async def kept(file: Path, keep: Keep, clock: Callable[[], float]) -> AsyncIterator[History]:
    history = History(file, keep, clock)
    task = asyncio.create_task(history.run())
    yield history
    await history.settled()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    history.close()


async def one_call(history: History) -> None:
    history.started(
        ROOM, call="SCL_1", line="+15550100", caller="+14155550123", direction="inbound"
    )
    history.joined(ROOM, agent="receptionist", version="v1")
    history.answered(ROOM, 1_000_001.0)
    history.turn(ROOM, 1_000_005.0, {"total_ms": 700})
    history.said(ROOM, 1_000_005.0, "user", "When are you open?")
    history.ended(ROOM)
    await history.settled()


async def test_a_call_is_kept(tmp_path: Path) -> None:
    """Number masked, no words, file for its owner alone; there after a restart."""
    file = tmp_path / "history" / "calls.sqlite"
    async with kept(file, Keep(), Clock()) as history:
        await one_call(history)
    async with kept(file, Keep(), Clock()) as history:
        (call,) = history.calls(10)
        assert history.call("SCL_1") == {**call, "words": []}
    assert call["caller"] == "+.........23"
    assert (call["agent"], call["version"], call["result"]) == ("receptionist", "v1", "answered")
    assert call["turns"] == [{"total_ms": 700}]
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"When are you" not in file.read_bytes()


async def test_tools_are_kept_without_what_they_were_given(tmp_path: Path) -> None:
    """Names, success, duration; arguments only where words are kept, and then without numbers."""
    for transcripts, kept in ((False, None), (True, '{"number": "(number)23"}')):
        keep = Keep(transcripts=transcripts)
        async with kept_at(tmp_path / f"{transcripts}.sqlite", keep) as history:
            await one_call(history)
            given = '{"number": "+1 510 555 0123"}'
            history.tool(ROOM, 1_000_004.0, "look_up", ok=False, ms=250, arguments=given)
            await history.settled()
            (tool,) = history.calls(1)[0]["tools"]
        assert (tool["name"], tool["ok"], tool["ms"]) == ("look_up", False, 250)
        assert tool["arguments"] == kept


def kept_at(file: Path, keep: Keep) -> contextlib.AbstractAsyncContextManager[History]:
    return kept(file, keep, Clock())


async def test_calls_are_found_by_their_outcome(tmp_path: Path) -> None:
    """Filed later; what was not filed when control died is unknown; older ones in pages."""
    clock = Clock()
    async with kept(tmp_path / "calls.sqlite", Keep(), clock) as history:
        for room in "abc":
            clock.now += 1
            history.started(room, call=room, line="", caller="", direction="inbound")
            history.filing(room)
        history.outcome("a", "message", "Call +1 510 555 0123 back.")
        await history.settled()
    async with kept(tmp_path / "calls.sqlite", Keep(), clock) as history:
        history.unfiled("unknown")
        await history.settled()
        (found,) = history.calls(9, outcome="message")
        assert (found["room"], found["summary"]) == ("a", "Call (number)23 back.")
        assert [each["room"] for each in history.calls(9, outcome="unknown")] == ["c", "b"]
        assert [each["room"] for each in history.calls(1, before=clock.now)] == ["b"]


async def test_calls_that_ended_unseen(tmp_path: Path) -> None:
    """Their rooms are gone from the server: control was away. Young ones may be missing yet."""
    clock = Clock()
    async with kept(tmp_path / "calls.sqlite", Keep(), clock) as history:
        for room in ("up", "answered", "rang"):
            history.started(room, call=room, line="", caller="", direction="inbound")
        history.answered("answered", clock.now)
        await history.settled()
        clock.now += FRESH_S + 1
        history.started("young", call="young", line="", caller="", direction="inbound")
        history.gone(frozenset({"up"}), clock.now)
        await history.settled()
        results = {each["room"]: each["result"] for each in history.calls(9)}
    assert results == {"up": None, "young": None, "answered": "answered", "rang": "unknown"}


async def test_a_file_of_an_earlier_version_is_taken(tmp_path: Path) -> None:
    """Columns that it lacks are added, its calls stay."""
    file = tmp_path / "calls.sqlite"
    async with kept(file, Keep(), Clock()) as history:
        await one_call(history)
        for name in ("outcome", "summary"):
            history._db.execute(f"ALTER TABLE calls DROP COLUMN {name}")
    async with kept(file, Keep(), Clock()) as history:
        (call,) = history.calls(9)
    assert (call["result"], call["outcome"]) == ("answered", None)


async def test_words_and_numbers_are_kept_when_set(tmp_path: Path) -> None:
    """HISTORY_NUMBERS=full, HISTORY_TRANSCRIPTS=on."""
    keep = Keep(numbers="full", transcripts=True)
    async with kept(tmp_path / "calls.sqlite", keep, Clock()) as history:
        await one_call(history)
        call = history.call(ROOM)
    assert call is not None
    assert call["caller"] == "+14155550123"
    assert [each["text"] for each in call["words"]] == ["When are you open?"]


@pytest.mark.parametrize(
    ("reasons", "answered", "result"),
    [
        ((), True, "answered"),
        ((), False, "gave up"),
        (("busy",), False, "busy"),
        (("agent lost", "carrier error"), True, "agent lost"),
    ],
)
async def test_the_first_reason_counts(
    tmp_path: Path, reasons: tuple[str, ...], answered: bool, result: str
) -> None:
    """What follows is its consequence."""
    async with kept(tmp_path / "calls.sqlite", Keep(), Clock()) as history:
        history.started(ROOM, call="1", line="", caller="", direction="inbound")
        if answered:
            history.answered(ROOM, 1.0)
        for reason in reasons:
            history.result(ROOM, reason)
        history.ended(ROOM)
        await history.settled()
        assert history.calls(1)[0]["result"] == result


@pytest.mark.parametrize(
    ("words", "result"),
    [
        (("voicemail",), "voicemail"),
        (("screened",), "screened"),
        (("screened", "answered"), "answered"),
        (("answered", "voicemail"), "voicemail"),  # taken for a person at its first words
        (("nonsense",), "answered"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
async def test_who_picked_up(
    tmp_path: Path, words: tuple[str, ...], result: str, late: bool
) -> None:
    """The agent's last word counts, also when the end was noted before it came."""
    async with kept(tmp_path / "calls.sqlite", Keep(), Clock()) as history:
        history.started(ROOM, call="1", line="", caller="", direction="outbound")
        history.answered(ROOM, 1.0)
        if late:
            history.ended(ROOM)
        for word in words:
            history.picked_up(ROOM, word)
        history.ended(ROOM)
        await history.settled()
        assert history.calls(1)[0]["result"] == result


async def test_old_words_and_calls_are_forgotten(tmp_path: Path) -> None:
    """Words after 30 days, calls after 90; looked after each hour."""
    clock = Clock()
    file = tmp_path / "calls.sqlite"
    async with kept(file, Keep(transcripts=True), clock) as history:
        await one_call(history)
        history.outcome(ROOM, "message", "A boat leaks.")
        for days, words, calls in ((29, 1, 1), (31, 0, 1), (91, 0, 0)):
            clock.now = 1_000_000.0 + days * DAY_S + PRUNE_S
            history.result("wake up", "")  # the writer looks at the clock with each thing to do
            history.result("wake up", "")
            await history.settled()
            call = history.call(ROOM)
            assert len(history.calls(9)) == calls
            assert len(call["words"] if call else []) == words
            assert bool(call and call["summary"]) == bool(words)


def test_masked() -> None:
    """The last two digits tell calls apart."""
    assert [masked(each) for each in ("+15550123", "12", "")] == ["+......23", "12", ""]

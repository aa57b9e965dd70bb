"""Call history in SQLite: who called when, which agent, how it ended, how long each answer took.

What is kept is a setting: numbers masked or whole, words or none, and for how many days.
"""

import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import structlog

from control.redact import Redaction, redact

log = structlog.get_logger()

DAY_S = 86_400
PRUNE_S = 3_600.0
# A call this young may be missing from a list of rooms that was asked for meanwhile.
FRESH_S = 30.0
# What an agent finds out of a call that it placed; a screened one may be answered yet.
PICKED_UP = ("answered", "voicemail", "screened")
SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
  room TEXT PRIMARY KEY, call TEXT, line TEXT, caller TEXT, direction TEXT,
  agent TEXT, version TEXT, agents INTEGER NOT NULL DEFAULT 0,
  started_at REAL NOT NULL, answered_at REAL, ended_at REAL, result TEXT);
CREATE INDEX IF NOT EXISTS calls_by_time ON calls (started_at);
CREATE TABLE IF NOT EXISTS turns (room TEXT NOT NULL, at REAL NOT NULL, latencies TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS turns_by_room ON turns (room);
CREATE TABLE IF NOT EXISTS words (
  room TEXT NOT NULL, at REAL NOT NULL, role TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS words_by_room ON words (room);
CREATE TABLE IF NOT EXISTS tools (
  room TEXT NOT NULL, at REAL NOT NULL, name TEXT NOT NULL, ok INTEGER NOT NULL,
  ms INTEGER NOT NULL, arguments TEXT);
CREATE INDEX IF NOT EXISTS tools_by_room ON tools (room);
"""
# Columns that files of earlier versions lack.
LATER = {"outcome": "TEXT", "summary": "TEXT"}
# A call that is being filed (control/clerk.py).
PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Keep:
    """What may be kept, and how long."""

    numbers: Literal["masked", "full", "none"] = "masked"
    transcripts: bool = False
    history_days: int = 90
    transcript_days: int = 30
    redaction: Redaction = "numbers"


def masked(number: str) -> str:
    """All but the last two digits as dots."""
    return "".join("." if char.isdigit() else char for char in number[:-2]) + number[-2:]


class History:
    """One writer, fed through a queue: no caller waits for the disk."""

    def __init__(self, file: Path, keep: Keep, clock: Callable[[], float] = time.time) -> None:
        self.file, self._keep, self._clock = file, keep, clock
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        # A reader never waits for the writer; a power cut loses the last moment at most.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)
        has = {row["name"] for row in self._db.execute("PRAGMA table_info(calls)")}
        for name in LATER.keys() - has:
            self._db.execute(f"ALTER TABLE calls ADD COLUMN {name} {LATER[name]}")
        self._todo: asyncio.Queue[tuple[str, tuple[Any, ...]]] = asyncio.Queue()
        self.changed = asyncio.Event()

    def follow(self, triggers: str) -> None:
        """Have every change leave its mark in the same transaction (control/outbox.py)."""
        self._db.executescript(triggers)

    async def run(self) -> None:
        """Write what comes, and forget what is too old."""
        pruned_at = float("-inf")
        while True:
            if self._clock() - pruned_at > PRUNE_S:
                pruned_at = self._clock()
                self._prune()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PRUNE_S):
                    statement, values = await self._todo.get()
                await asyncio.to_thread(self._write, statement, values)
                self._todo.task_done()
                self.changed.set()

    async def settled(self) -> None:
        """Wait until everything that came before is written."""
        await self._todo.join()

    def close(self) -> None:
        """Write what is left and close."""
        while not self._todo.empty():
            self._write(*self._todo.get_nowait())
        self._db.close()

    def started(self, room: str, *, call: str, line: str, caller: str, direction: str) -> None:
        """Note that a call has begun."""
        shown = {"masked": masked(caller), "full": caller, "none": ""}[self._keep.numbers]
        self._put(
            "INSERT INTO calls (room, call, line, caller, direction, started_at)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (room) DO UPDATE SET call = excluded.call,"
            " line = excluded.line, caller = excluded.caller, direction = excluded.direction",
            room, call, line, shown, direction, self._clock(),
        )  # fmt: skip

    def joined(self, room: str, *, agent: str, version: str) -> None:
        """Note which agent came; a second one replaces the first."""
        self._put(
            "INSERT INTO calls (room, agent, version, agents, started_at) VALUES (?, ?, ?, 1, ?)"
            " ON CONFLICT (room) DO UPDATE SET agent = excluded.agent, version = excluded.version,"
            " agents = agents + 1",
            room, agent, version, self._clock(),
        )  # fmt: skip

    def answered(self, room: str, at: float) -> None:
        """Note when caller and agent could first hear each other."""
        self._put(
            "UPDATE calls SET answered_at = coalesce(answered_at, ?) WHERE room = ?", at, room
        )

    def turn(self, room: str, at: float, latencies: dict[str, int]) -> None:
        """Note how long an answer took."""
        self._put("INSERT INTO turns VALUES (?, ?, ?)", room, at, json.dumps(latencies))

    def said(self, room: str, at: float, role: str, text: str) -> None:
        """Note a sentence, if words may be kept."""
        if self._keep.transcripts:
            kept = redact(text, self._keep.redaction)
            self._put("INSERT INTO words VALUES (?, ?, ?, ?)", room, at, role, kept)

    def tool(self, room: str, at: float, name: str, *, ok: bool, ms: int, arguments: str) -> None:
        """Note that a tool was used; with what, only if words may be kept."""
        kept = redact(arguments, self._keep.redaction) if self._keep.transcripts else None
        self._put("INSERT INTO tools VALUES (?, ?, ?, ?, ?, ?)", room, at, name, ok, ms, kept)

    def filing(self, room: str) -> None:
        """Note that an outcome is still to come."""
        self._put("UPDATE calls SET outcome = ? WHERE room = ?", PENDING, room)

    def outcome(self, room: str, outcome: str, summary: str) -> None:
        """Note what became of a call for the caller."""
        kept = redact(summary, self._keep.redaction) or None
        self._put("UPDATE calls SET outcome = ?, summary = ? WHERE room = ?", outcome, kept, room)

    def unfiled(self, outcome: str) -> None:
        """Note that no outcome will come any more of what waits for one."""
        self._put("UPDATE calls SET outcome = ? WHERE outcome = ?", outcome, PENDING)

    def result(self, room: str, result: str) -> None:
        """Note why a call ends; the first reason counts."""
        self._put("UPDATE calls SET result = coalesce(result, ?) WHERE room = ?", result, room)

    def picked_up(self, room: str, result: str) -> None:
        """Note who picked up a call of ours, also when its end was noted a moment before."""
        if result in PICKED_UP:
            self._put(
                "UPDATE calls SET result = ? WHERE room = ? AND coalesce(result, 'gave up') IN"
                " ('gave up', 'answered', 'screened')",
                result, room,
            )  # fmt: skip

    def ended(self, room: str) -> None:
        """Note the end; without a reason so far it is `answered` or `gave up`."""
        self._put(
            "UPDATE calls SET ended_at = coalesce(ended_at, ?), result = coalesce(result,"
            " CASE WHEN answered_at IS NULL THEN 'gave up' ELSE 'answered' END) WHERE room = ?",
            self._clock(), room,
        )  # fmt: skip

    def gone(self, rooms: frozenset[str], asked_at: float) -> None:
        """Note the end of calls whose rooms the server no longer has: it came while we were away.

        How a call ended that nobody had answered is not known.
        """
        self._put(
            "UPDATE calls SET ended_at = ?, result = coalesce(result,"
            " CASE WHEN answered_at IS NULL THEN 'unknown' ELSE 'answered' END)"
            " WHERE ended_at IS NULL AND started_at < ?"
            " AND room NOT IN (SELECT value FROM json_each(?))",
            self._clock(), asked_at - FRESH_S, json.dumps(sorted(rooms)),
        )  # fmt: skip

    def calls(
        self, limit: int, *, outcome: str = "", before: float = float("inf"), words: bool = False
    ) -> list[dict[str, Any]]:
        """Return the newest calls, of one outcome if wanted, that began before a time."""
        rows = self._db.execute(
            "SELECT * FROM calls WHERE call IS NOT NULL AND started_at < ?"
            " AND (? = '' OR outcome = ?) ORDER BY started_at DESC LIMIT ?",
            (before, outcome, outcome, limit),
        )
        return [_detailed(self._db, dict(row), words=words) for row in rows]

    def call(self, room: str) -> dict[str, Any] | None:
        """Return one call by its room or call id, with the words that were kept."""
        return call_of(self._db, room)

    def _put(self, statement: str, *values: Any) -> None:
        self._todo.put_nowait((statement, values))

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        try:
            self._db.execute(statement, values)
        except sqlite3.Error as error:  # a full disk must not end the guard of calls
            log.warning("call history not written", reason=str(error))

    def _prune(self) -> None:
        now = self._clock()
        old = (now - self._keep.history_days * DAY_S,)
        words = (now - self._keep.transcript_days * DAY_S,)
        self._write("DELETE FROM words WHERE at < ?", words)
        self._write("UPDATE tools SET arguments = NULL WHERE arguments NOTNULL AND at < ?", words)
        self._write("UPDATE calls SET summary = NULL WHERE summary NOTNULL AND ended_at < ?", words)
        for table in ("words", "turns", "tools"):
            self._write(
                f"DELETE FROM {table} WHERE room IN"  # noqa: S608 - names of our own
                " (SELECT room FROM calls WHERE started_at < ?)",
                old,
            )
        self._write("DELETE FROM calls WHERE started_at < ?", old)


def call_of(db: sqlite3.Connection, room: str) -> dict[str, Any] | None:
    """Return one call by its room or call id."""
    row = db.execute("SELECT * FROM calls WHERE room = ? OR call = ?", (room, room)).fetchone()
    if row is None:
        return None
    return _detailed(db, dict(row), words=True)


def _detailed(db: sqlite3.Connection, call: dict[str, Any], *, words: bool) -> dict[str, Any]:
    """Add what other tables know of a call."""

    def rows(query: str) -> list[dict[str, Any]]:
        return [dict(each) for each in db.execute(f"{query} WHERE room = ? ORDER BY at", room)]

    room = (call["room"],)
    call["turns"] = [json.loads(each["latencies"]) for each in rows("SELECT latencies FROM turns")]
    call["tools"] = rows("SELECT at, name, ok, ms, arguments FROM tools")
    for each in call["tools"]:
        each["ok"] = bool(each["ok"])
    if words:
        call["words"] = rows("SELECT at, role, text FROM words")
    return call

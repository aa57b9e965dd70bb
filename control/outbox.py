"""Events of calls on their way to programs of the operator's: an outbox in the history's database.

A change of the history and its event are one transaction, so that neither is there without the
other, whenever the process dies. What an event says is written down once: every try sends the same.
"""

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from control.event import body_of_event
from control.history import DAY_S, PENDING, PRUNE_S, call_of

log = structlog.get_logger()

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, room TEXT NOT NULL, at REAL NOT NULL, body TEXT);
CREATE INDEX IF NOT EXISTS events_by_room ON events (room, kind);
CREATE TABLE IF NOT EXISTS deliveries (
  event TEXT NOT NULL, url TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'pending',
  tries INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL, error TEXT,
  PRIMARY KEY (event, url));
CREATE INDEX IF NOT EXISTS deliveries_pending ON deliveries (url, next_at) WHERE state = 'pending';
"""
# Of one call each kind happens once. Temporary triggers are those of one connection: the writer's.
TRIGGER = """
CREATE TEMP TRIGGER tell_{name} AFTER {what} ON calls WHEN new.call IS NOT NULL BEGIN
  INSERT INTO events (id, kind, room, at)
    SELECT 'evt_' || lower(hex(randomblob(16))), value ->> 0, new.room, value ->> 1
    FROM json_each(json_array(
      json_array('call.started', new.started_at),
      json_array('call.answered', new.answered_at),
      json_array('call.ended', new.ended_at)))
    WHERE value ->> 1 IS NOT NULL AND NOT EXISTS
      (SELECT 1 FROM events WHERE room = new.room AND kind = value ->> 0);
END;"""
# The tables again: a connection that has not seen them yet takes their triggers, and fails later.
TRIGGERS = SCHEMA + "".join(
    TRIGGER.format(name=name, what=what)
    for name, what in (("of_new", "INSERT"), ("of_changed", "UPDATE"))
)
# The last sentences of a call reach us after it has ended (agent/voice_agent/report.py, CLOSE_S).
SETTLE_S = 4.0
# A call whose outcome is not there by then is told without (control/clerk.py).
LONGEST_S = 300.0
# A call has three events; a receiver that is away for days must not fill the disk.
MOST_PENDING = 30_000
# The events of a weekend still arrive on Monday.
GIVE_UP_S = 3 * DAY_S
# What was sent can be sent again for this long.
KEEP_DAYS = 7
AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one address."""

    event: str
    url: str
    body: bytes
    tries: int
    at: float


class Outbox:
    """The queue; blocking, for use in threads."""

    def __init__(
        self,
        file: Path,
        urls: Sequence[str],
        *,
        transcripts: bool = False,
        keep_days: int = KEEP_DAYS,
        most_pending: int = MOST_PENDING,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._urls, self._transcripts, self._clock = tuple(urls), transcripts, clock
        self._keep_s, self._most = min(keep_days, KEEP_DAYS) * DAY_S, most_pending
        self._pruned_at = float("-inf")
        self._lock = threading.Lock()
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def fill(self) -> None:
        """Write down what new events say, one delivery for each address; forget what is old."""
        now = self._clock()
        with self._change() as db:
            rows = db.execute(
                "SELECT id, kind, room, at FROM events WHERE body IS NULL AND (kind <> 'call.ended'"
                " OR at <= ? AND (at <= ? OR NOT EXISTS (SELECT 1 FROM calls"
                " WHERE calls.room = events.room AND outcome = ?))) ORDER BY rowid LIMIT ?",
                (now - SETTLE_S, now - LONGEST_S, PENDING, AT_ONCE),
            ).fetchall()
            for row in rows:
                self._write_down(db, row, now)
            if rows:
                self._drop_oldest(db)
            if now - self._pruned_at > PRUNE_S:
                self._pruned_at = now
                self._prune(db, now)

    def due(self, url: str) -> Delivery | None:
        """Return what is to be sent there now; the oldest first."""
        now = self._clock()
        row = self._read(
            "SELECT event, url, body, tries, at FROM deliveries JOIN events ON id = event"
            " WHERE url = ? AND state = 'pending' AND (next_at <= ? OR next_at > ?)"
            " ORDER BY next_at, events.rowid LIMIT 1",
            url, now, now + DAY_S,  # the clock was set back
        )  # fmt: skip
        if not row:
            return None
        found = row[0]
        body = found["body"].encode()
        return Delivery(found["event"], found["url"], body, found["tries"], found["at"])

    def next_at(self, url: str) -> float | None:
        """When something is due there."""
        (row,) = self._read(
            "SELECT min(next_at) AS at FROM deliveries WHERE url = ? AND state = 'pending'", url
        )
        return None if row["at"] is None else float(row["at"])

    def delivered(self, one: Delivery) -> None:
        """Note that it arrived."""
        self._note(one, "delivered", one.at, "")

    def failed(self, one: Delivery, error: str, pause_s: float) -> None:
        """Note that it did not, and try again later, for three days."""
        now = self._clock()
        over = now - one.at > GIVE_UP_S
        if over:
            log.error("event given up", id=one.event, tries=one.tries + 1, reason=error)
        self._note(one, "given up" if over else "pending", now + pause_s, error)

    def replay(self, event: str | None = None) -> int:
        """Send again: one event, whatever became of it; or all that did not arrive."""
        which = "event = ?" if event else "state <> 'delivered'"
        with self._change() as db:
            done = db.execute(
                f"UPDATE deliveries SET state = 'pending', next_at = ? WHERE {which}",  # noqa: S608
                (self._clock(), *([event] if event else [])),
            )
            return int(done.rowcount)

    def listed(self, limit: int, *, every: bool) -> list[dict[str, Any]]:
        """Return deliveries for people and programs, newest first; without what was said."""
        rows = self._read(
            "SELECT event, kind, room, at, url, state, tries, next_at, error FROM deliveries"
            " JOIN events ON id = event WHERE ? OR state <> 'delivered'"
            " ORDER BY events.rowid DESC LIMIT ?",
            every, limit,
        )  # fmt: skip
        return [dict(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many deliveries there are in each state."""
        rows = self._read("SELECT state, count(*) AS n FROM deliveries GROUP BY state")
        return {row["state"]: row["n"] for row in rows}

    def _write_down(self, db: sqlite3.Connection, row: sqlite3.Row, now: float) -> None:
        call = call_of(db, row["room"])
        if call is None:  # forgotten meanwhile
            db.execute("DELETE FROM events WHERE id = ?", (row["id"],))
            return
        body = body_of_event(row["kind"], row["at"], call, transcripts=self._transcripts)
        db.execute("UPDATE events SET body = ? WHERE id = ?", (json.dumps(body), row["id"]))
        db.executemany(
            "INSERT INTO deliveries (event, url, next_at) VALUES (?, ?, ?)",
            [(row["id"], url, now) for url in self._urls],
        )

    def _drop_oldest(self, db: sqlite3.Connection) -> None:
        """The newest calls matter more than those of days ago."""
        dropped = db.execute(
            "UPDATE deliveries SET state = 'dropped', error = 'the queue was full'"
            " WHERE state = 'pending' AND rowid IN (SELECT d.rowid FROM deliveries d"
            " JOIN events ON id = event WHERE state = 'pending'"
            " ORDER BY events.rowid DESC LIMIT -1 OFFSET ?)",
            (self._most,),
        ).rowcount
        if dropped:
            log.error("events dropped, the queue is full", count=dropped, most=self._most)

    def _prune(self, db: sqlite3.Connection, now: float) -> None:
        db.execute(
            "UPDATE deliveries SET state = 'dropped', error = 'not in WEBHOOK_URLS any more'"
            " WHERE state = 'pending' AND url NOT IN (SELECT value FROM json_each(?))",
            (json.dumps(self._urls),),
        )
        db.execute("DELETE FROM events WHERE at < ?", (now - self._keep_s,))
        db.execute("DELETE FROM deliveries WHERE event NOT IN (SELECT id FROM events)")

    def _note(self, one: Delivery, state: str, next_at: float, error: str) -> None:
        with self._change() as db:
            db.execute(
                "UPDATE deliveries SET state = ?, tries = tries + 1, next_at = ?, error = ?"
                " WHERE event = ? AND url = ?",
                (state, next_at, error, one.event, one.url),
            )

    def _read(self, query: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock, closing(self._db.execute(query, values)) as cursor:
            return cursor.fetchall()

    @contextmanager
    def _change(self) -> Any:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def event_id() -> str:
    """A name that no other event has."""
    return f"evt_{secrets.token_hex(16)}"

"""The queue on disk: every step is written before it is taken, so that a kill loses none.

An attempt is opened with its reservation in the ledger, in one transaction, and marked before its
INVITE is sent. Whoever finds an open attempt of a process that is gone knows: without the mark
nobody was called; with it somebody may have been, and is not called again unless the history tells
what became of it, or the operator says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from voicestack.outbound.ledger import Ledger
from voicestack.outbound.rules import Facts, Refusal

# waiting, dialling, done, refused, unknown (see above), withdrawn (no longer in the file)
QUEUE_SCHEMA = """
CREATE TABLE IF NOT EXISTS queue_calls (
  queue TEXT NOT NULL, number TEXT NOT NULL, row INTEGER NOT NULL, wish TEXT NOT NULL,
  state TEXT NOT NULL, next_at REAL NOT NULL, result TEXT, sip_code INTEGER, reason TEXT,
  PRIMARY KEY (queue, number));
CREATE TABLE IF NOT EXISTS queue_attempts (
  id INTEGER PRIMARY KEY, queue TEXT NOT NULL, number TEXT NOT NULL, room TEXT NOT NULL,
  dial INTEGER NOT NULL, at REAL NOT NULL, rang_at REAL, ended_at REAL, result TEXT);
CREATE INDEX IF NOT EXISTS attempts_by_call ON queue_attempts (queue, number);
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file. `wish` is JSON."""

    row: int
    number: str
    wish: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try, under way or left by a process that is gone."""

    id: int
    number: str
    room: str
    dial: int
    rang: bool


class QueueStore(Ledger):
    """The queues in the ledger's file."""

    SCHEMA = Ledger.SCHEMA + QUEUE_SCHEMA

    def load(self, queue: str, rows: Sequence[Row]) -> None:
        """Take a file in: new numbers wait, those that it no longer names are not called."""
        with self.transaction():
            self.db.execute(
                "UPDATE queue_calls SET state = 'withdrawn' WHERE queue = ? AND state = 'waiting'",
                (queue,),
            )
            for each in rows:
                self.db.execute(
                    "INSERT INTO queue_calls (queue, number, row, wish, state, next_at)"
                    " VALUES (?, ?, ?, ?, 'waiting', 0) ON CONFLICT (queue, number) DO UPDATE SET"
                    " row = excluded.row, wish = excluded.wish, state ="
                    " CASE state WHEN 'withdrawn' THEN 'waiting' ELSE state END",
                    (queue, each.number, each.row, each.wish),
                )

    def next(self, queue: str) -> tuple[Row, float] | None:
        """Return the call that is due first, and when."""
        row = self.db.execute(
            "SELECT row, number, wish, next_at FROM queue_calls"
            " WHERE queue = ? AND state = 'waiting' ORDER BY next_at, row LIMIT 1",
            (queue,),
        ).fetchone()
        return (Row(*row[:3]), float(row[3])) if row else None

    def begin(
        self, queue: str, number: str, room: str, judge: Callable[[Facts], Refusal | None]
    ) -> Attempt | Refusal:
        """Open an attempt, or say why not."""
        with self.transaction():
            reserved = self.reserve_now(number, judge)
            if isinstance(reserved, Refusal):
                return reserved
            made = self.db.execute(
                "INSERT INTO queue_attempts (queue, number, room, dial, at) VALUES (?, ?, ?, ?, ?)",
                (queue, number, room, reserved, self.clock()),
            )
            self._set(queue, number, "dialling")
            return Attempt(int(made.lastrowid or 0), number, room, reserved, rang=False)

    def rings(self, attempt: Attempt) -> None:
        """Mark that the INVITE is about to be sent."""
        self.db.execute(
            "UPDATE queue_attempts SET rang_at = ? WHERE id = ?", (self.clock(), attempt.id)
        )

    def finish_attempt(
        self, queue: str, attempt: Attempt, result: str, *, state: str, wait_s: float = 0.0,
        sip_code: int | None = None, reason: str = "",
    ) -> None:  # fmt: skip
        """Note what came of it and what is next, at once."""
        with self.transaction():
            self.finish(attempt.dial, result)
            self.db.execute(
                "UPDATE queue_attempts SET ended_at = ?, result = ? WHERE id = ?",
                (self.clock(), result, attempt.id),
            )
            self._set(queue, attempt.number, state, wait_s=wait_s)
            self.db.execute(
                "UPDATE queue_calls SET result = ?, sip_code = ?, reason = ?"
                " WHERE queue = ? AND number = ?",
                (result, sip_code, reason, queue, attempt.number),
            )

    def never_rang(self, queue: str, attempt: Attempt) -> None:
        """Forget an attempt before whose INVITE its process died: nobody was called."""
        with self.transaction():
            self.db.execute("DELETE FROM dials WHERE id = ?", (attempt.dial,))
            self.db.execute("DELETE FROM queue_attempts WHERE id = ?", (attempt.id,))
            self._set(queue, attempt.number, "waiting")

    def refuse(self, queue: str, number: str, reason: str) -> None:
        """Note that a number is never called, and why."""
        self._set(queue, number, "refused", reason=reason)

    def postpone(self, queue: str, number: str, wait_s: float, reason: str) -> None:
        """Let a call wait; it does not count as a try."""
        self._set(queue, number, "waiting", wait_s=wait_s, reason=reason)

    def redial_unknown(self, queue: str) -> int:
        """Let those wait again whose last attempt nobody knows the end of; how many."""
        return self.db.execute(
            "UPDATE queue_calls SET state = 'waiting', next_at = 0"
            " WHERE queue = ? AND state = 'unknown'",
            (queue,),
        ).rowcount

    def forget(self, queue: str) -> int:
        """Remove a queue with its numbers; how many."""
        with self.transaction():
            self.db.execute("DELETE FROM queue_attempts WHERE queue = ?", (queue,))
            return self.db.execute("DELETE FROM queue_calls WHERE queue = ?", (queue,)).rowcount

    def open_attempts(self, queue: str) -> list[Attempt]:
        """Attempts without a result."""
        rows = self.db.execute(
            "SELECT id, number, room, dial, rang_at IS NOT NULL FROM queue_attempts"
            " WHERE queue = ? AND ended_at IS NULL ORDER BY id",
            (queue,),
        )
        return [Attempt(*row) for row in rows.fetchall()]

    def seen(self, queue: str, number: str, result: str) -> int:
        """Count how often a number had this result."""
        row = self.db.execute(
            "SELECT count(*) FROM queue_attempts WHERE queue = ? AND number = ? AND result = ?",
            (queue, number, result),
        ).fetchone()
        return int(row[0])

    def calls(self, queue: str) -> list[dict[str, Any]]:
        """Return every call of a queue with its tries, in the order of the file."""
        names = (
            "number",
            "state",
            "result",
            "sip_code",
            "reason",
            "tries",
            "at",
            "next_at",
            "room",
        )
        rows = self.db.execute(
            "SELECT c.number, state, c.result, sip_code, reason, count(a.id), max(a.at),"
            " CASE state WHEN 'waiting' THEN next_at END, a.room"
            " FROM queue_calls c LEFT JOIN queue_attempts a USING (queue, number)"
            " WHERE c.queue = ? GROUP BY c.number ORDER BY row",
            (queue,),
        )
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

    def queues(self) -> list[str]:
        """Return the names of all queues."""
        rows = self.db.execute("SELECT DISTINCT queue FROM queue_calls ORDER BY queue")
        return [str(row[0]) for row in rows.fetchall()]

    def _set(
        self, queue: str, number: str, state: str, *, wait_s: float = 0.0, reason: str = ""
    ) -> None:
        self.db.execute(
            "UPDATE queue_calls SET state = ?, next_at = ?, reason = ?"
            " WHERE queue = ? AND number = ?",
            (state, self.clock() + wait_s, reason, queue, number),
        )

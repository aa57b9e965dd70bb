"""What was dialled: counted and kept from being dialled twice, across processes and crashes."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from voicestack.outbound.rules import Facts, Refusal

HOUR_S, DAY_S = 3_600, 86_400
# A dial whose process died without a word is over after this: longer than ringing and a long call.
LONGEST_S = 7_200
SCHEMA = """
CREATE TABLE IF NOT EXISTS dials (
  id INTEGER PRIMARY KEY, number TEXT NOT NULL, at REAL NOT NULL, ended_at REAL, result TEXT);
CREATE INDEX IF NOT EXISTS dials_by_time ON dials (at);
"""


class Ledger:
    """One file for all who dial from this stack."""

    SCHEMA = SCHEMA

    def __init__(self, file: Path, clock: Callable[[], float] = time.time) -> None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        self.clock = clock
        self.db = sqlite3.connect(file, isolation_level=None, timeout=5)
        self.db.executescript(self.SCHEMA)

    def close(self) -> None:
        """Leave the file."""
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing, and nobody else in between."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def reserve(self, number: str, judge: Callable[[Facts], Refusal | None]) -> int | Refusal:
        """Count a dial and return its id, or say why not: both at once, so that no two pass."""
        with self.transaction():
            return self.reserve_now(number, judge)

    def reserve_now(self, number: str, judge: Callable[[Facts], Refusal | None]) -> int | Refusal:
        """The same, within a transaction."""
        refusal = judge(self._facts(number))
        if refusal is not None:
            return refusal
        made = self.db.execute(
            "INSERT INTO dials (number, at) VALUES (?, ?)", (number, self.clock())
        )
        return int(made.lastrowid or 0)

    def finish(self, dial: int, result: str) -> None:
        """Note what came of it; the number may be called again."""
        self.db.execute(
            "UPDATE dials SET ended_at = ?, result = ? WHERE id = ?", (self.clock(), result, dial)
        )

    def _facts(self, number: str) -> Facts:
        now = self.clock()

        def count(where: str, *values: object) -> int:
            row = self.db.execute(
                f"SELECT count(*) FROM dials WHERE {where}",  # noqa: S608 - texts of our own
                values,
            ).fetchone()
            return int(row[0])

        return Facts(
            last_hour=count("at > ?", now - HOUR_S),
            last_day=count("at > ?", now - DAY_S),
            number_is_being_called=count(
                "number = ? AND ended_at IS NULL AND at > ?", number, now - LONGEST_S
            )
            > 0,
        )


def file_of(state_dir: Path) -> Path:
    """Where a stack keeps it."""
    return state_dir / "history" / "dials.sqlite"

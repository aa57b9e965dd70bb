"""The log lines of one call, across services, in the order in which they were written."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# A call has a room, an id of livekit-sip, the agent's job and dispatch, participants, and the
# number that the caller's own telephone gave it. Whoever knows one of them finds the others.
ID_FIELDS = {
    *("room", "roomID", "room_id", "callID", "call", "sipCallID", "job_id", "jobID"),
    *("participantID", "pID", "dispatch_id", "dispatchID"),
}
# Twice: a job's id leads to lines that name no room.
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a log."""

    service: str
    at: datetime
    level: str
    phrase: str
    fields: dict[str, Any]

    @property
    def ids(self) -> set[str]:
        """Everything by which this line can be tied to others."""
        return {str(self.fields[key]) for key in ID_FIELDS & self.fields.keys() if self.fields[key]}


def of_call(files: Iterable[Path], wanted: str) -> list[Entry]:
    """Every line that belongs to the call with this room or id."""
    entries = [entry for file in files for entry in read(file)]
    known = {wanted}
    for _ in range(ROUNDS):
        known |= {each for entry in entries if entry.ids & known for each in entry.ids}
    return sorted((each for each in entries if each.ids & known), key=lambda each: each.at)


def read(file: Path, begin: int = 0) -> Iterator[Entry]:
    """The lines of a log from a byte on that are JSON; others belong to no call."""
    with file.open(errors="replace") as lines:
        lines.seek(begin)
        for line in lines:
            if line.startswith("{"):
                try:
                    entry = _entry(file.stem, json.loads(line))
                except ValueError:
                    continue
                if entry is not None:
                    yield entry


def _entry(service: str, fields: dict[str, Any]) -> Entry | None:
    at = _time(fields.pop("ts", None) or fields.pop("timestamp", None))
    if at is None:
        return None
    phrase = str(fields.pop("msg", "") or fields.pop("event", "") or fields.pop("message", ""))
    return Entry(service, at, str(fields.pop("level", "info")).lower(), phrase, fields)


def _time(value: object) -> datetime | None:
    """Seconds since 1970 (the Go servers), or ISO 8601 (ours)."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None

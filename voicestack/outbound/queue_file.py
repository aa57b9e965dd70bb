"""The CSV file of a queue: a row for each call. All its faults are reported, with their lines."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

from voicestack.errors import Fault, FaultsError
from voicestack.outbound.attempt import Wish
from voicestack.outbound.queue_store import Row
from voicestack.outbound.rules import E164

OWN = ("agent", "trunk", "opening", "purpose", "message")
# A list of this length is a mistake, or wants a dialler of another kind.
MOST_ROWS = 100_000


class QueueFileError(FaultsError):
    """A list that cannot be called."""

    subject = "the list"


def read(file: Path, default: Wish) -> list[Row]:
    """Read `number`, what a Wish has, and any other column as metadata for the agent."""
    if not file.is_file():
        raise QueueFileError(
            [Fault(str(file), "", "is no file", "must be a CSV file", "see --help")]
        )
    faults: list[Fault] = []
    rows: dict[str, Row] = {}
    with file.open(newline="", encoding="utf-8-sig", errors="replace") as source:
        lines = csv.DictReader(source)
        if "number" not in (lines.fieldnames or ()):
            must = "must have a first line with the names of the columns, `number` among them"
            raise QueueFileError(
                [Fault(f"{file.name}:1", "number", "is missing", must, "number,name")]
            )
        for each in lines:
            where = f"{file.name}:{lines.line_num}"
            number = _number(each)
            fault = _fault(where, number, each, rows)
            if fault is not None:
                faults.append(fault)
            elif number:
                rows[number] = Row(lines.line_num, number, json.dumps(_wish(each, default)))
            if len(rows) > MOST_ROWS:
                must = f"must be at most {MOST_ROWS}"
                raise QueueFileError([Fault(where, "", "more rows", must, "split the file")])
    if faults:
        raise QueueFileError(faults)
    return list(rows.values())


def _fault(
    where: str, number: str, each: Mapping[str | None, object], rows: Mapping[str, Row]
) -> Fault | None:
    if None in each:
        must = "must have as many fields as the first line"
        return Fault(where, "", "has more fields", must, 'put "..." around a text with commas')
    if not number:
        filled = any(str(value or "").strip() for value in each.values())
        fix = "give a number or remove the line"
        return Fault(where, "number", "is empty", "must be E.164", fix) if filled else None
    if not E164.fullmatch(number):
        fix = "+, country code and number: +15105550123"
        return Fault(where, "number", number, "must be E.164", fix)
    if number in rows:
        must = f"stands in line {rows[number].row} already: nobody is called twice by one list"
        return Fault(where, "number", number, must, "remove one of the two")
    return None


def _number(each: Mapping[str | None, object]) -> str:
    # As people write numbers down.
    return str(each.get("number") or "").translate(str.maketrans("", "", " -()/."))


def _wish(each: Mapping[str | None, object], default: Wish) -> dict[str, str]:
    given = {str(key): str(value or "").strip() for key, value in each.items()}
    metadata = json.loads(default.metadata or "{}")
    metadata |= {k: v for k, v in given.items() if k not in {*OWN, "number"} and v}
    own = {name: given.get(name) or getattr(default, name) for name in OWN}
    return {**own, "metadata": json.dumps(metadata, ensure_ascii=False)}

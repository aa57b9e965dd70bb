"""`voicestack calls export`: the call history for spreadsheets and other programs."""

import asyncio
import csv
import json
import statistics
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, TextIO
from urllib.parse import urlencode

import typer

from voicestack.cli.frame import FAILED, OK, root
from voicestack.errors import VoicestackError
from voicestack.office import Office

PAGE = 200
TIMES = ("started_at", "answered_at", "ended_at")
COLUMNS = (
    *("room", "call", "direction", "line", "caller", "agent", "version"),
    *(*TIMES, "result", "outcome", "summary", "turns", "median_turn_ms", "tools"),
)
# A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection").
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Form(StrEnum):
    """What is written."""

    CSV = "csv"
    JSONL = "jsonl"


def export(
    form: Annotated[Form, typer.Option("--format", help="csv: a row a call; jsonl: all of it")] = (
        Form.JSONL
    ),
    outcome: Annotated[str, typer.Option(help="only calls of this outcome")] = "",
    words: Annotated[bool, typer.Option("--words", help="what was said too (jsonl)")] = False,
) -> None:
    """Write every call that is kept to stdout, newest first.

    Exit code: 0 all are written, 1 they could not be had.

    \b
    Examples:
      scripts/calls.py export --format csv > calls.csv
      scripts/calls.py export --format jsonl --words | jq .summary
    """
    try:
        asyncio.run(_export(form, outcome, words=words))
    except VoicestackError as error:
        print(error.report(), file=sys.stderr)
        sys.exit(FAILED)
    sys.exit(OK)


async def _export(form: Form, outcome: str, *, words: bool) -> None:
    write = writer(sys.stdout, form)
    async for call in _calls(Office.of(root()), outcome, words=words):
        write(call)


async def _calls(office: Office, outcome: str, *, words: bool) -> AsyncIterator[dict[str, Any]]:
    """Page by page: years of calls fit no single answer."""
    query = urlencode({"limit": PAGE, "outcome": outcome, "words": int(words)})
    before = "inf"
    while True:
        calls = (await office.control(f"/calls?{query}&before={before}"))["calls"]
        for call in calls:
            yield call
        if len(calls) < PAGE:
            return
        before = repr(calls[-1]["started_at"])


def writer(out: TextIO, form: Form) -> Any:
    """Return what writes one call."""
    if form is Form.JSONL:
        return lambda call: print(json.dumps(call), file=out)
    table = csv.writer(out)
    table.writerow(COLUMNS)
    return lambda call: table.writerow([_cell(each) for each in row(call)])


def row(call: dict[str, Any]) -> list[object]:
    """One call in the columns of a spreadsheet."""
    totals = [turn["total_ms"] for turn in call["turns"] if "total_ms" in turn]
    used = [tool["name"] + ("" if tool["ok"] else " (failed)") for tool in call["tools"]]
    values = {
        **call,
        **{name: _clock_time(call[name]) for name in TIMES},
        "turns": len(call["turns"]),
        "median_turn_ms": round(statistics.median(totals)) if totals else None,
        "tools": ", ".join(used),
    }
    return [values[name] for name in COLUMNS]


def _clock_time(at: float | None) -> str | None:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if at else None


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value

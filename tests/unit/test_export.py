"""Calls for spreadsheets: one row each, and no cell that runs as a formula."""

import csv
import io
import json
from typing import Any

from voicestack.cli.export import COLUMNS, Form, writer

CALL: dict[str, Any] = {
    "room": "call-x", "call": "SCL_1", "direction": "inbound", "line": "+15550100",
    "caller": "+.........23", "agent": "sales", "version": "v1", "agents": 1,
    "started_at": 1_800_000_000.5, "answered_at": None, "ended_at": 1_800_000_060.0,
    "result": "answered", "outcome": "message", "summary": '=HYPERLINK("http://x", "a, b")',
    "turns": [{"total_ms": 700}, {"total_ms": 901}, {}],
    "tools": [{"name": "take_message", "ok": True}, {"name": "look_up", "ok": False}],
}  # fmt: skip


def test_csv() -> None:
    """Header, times that people read, quotes and commas safe."""
    out = io.StringIO()
    writer(out, Form.CSV)(CALL)
    header, cells = csv.reader(io.StringIO(out.getvalue()))
    row = dict(zip(header, cells, strict=True))
    assert tuple(header) == COLUMNS
    assert row["started_at"] == "2027-01-15T08:00:00+00:00"
    assert (row["answered_at"], row["turns"], row["median_turn_ms"]) == ("", "3", "800")
    assert row["tools"] == "take_message, look_up (failed)"
    assert row["summary"] == '\'=HYPERLINK("http://x", "a, b")'
    assert row["caller"] == "'+.........23"


def test_jsonl() -> None:
    """All of it, one object a line."""
    out = io.StringIO()
    writer(out, Form.JSONL)(CALL)
    assert json.loads(out.getvalue()) == CALL

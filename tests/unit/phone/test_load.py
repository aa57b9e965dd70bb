"""Which limit broke first, and how the calls spread."""

from typing import Any

import numpy as np
import pytest

from voicestack.phone.conversation import CallReport, Turn
from voicestack.phone.load import Limits, first_limit, spread, summary

NOTHING = np.zeros(0, np.int16)


def turn(latency_ms: float | None) -> Turn:
    return Turn("hi", latency_ms, 1.0, False, None, NOTHING)


def report(**changes: Any) -> CallReport:
    fields: dict[str, Any] = {
        "number": "+1",
        "server": ("127.0.0.1", 5060),
        "outcome": "completed",
        "reason": "",
        "answered_ms": 400.0,
        "greeting_ms": 300.0,
        "turns": (turn(700.0),),
        "planned_turns": 1,
    }
    return CallReport(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"answered_ms": None, "reason": "486 Busy Here"}, "486 Busy Here"),
        ({"answered_ms": 2500.0}, "answered after 2500 ms"),
        ({"greeting_ms": None}, "no greeting"),
        ({"turns": (turn(None),)}, "without a reply"),
        ({"turns": (turn(2600.0),)}, "waited 2600 ms"),
    ],
)
def test_the_first_limit_is_named(changes: dict[str, Any], words: str | None) -> None:
    """In the order in which a caller meets them; the call before it was fine."""
    seen = first_limit([report(), report(**changes)], Limits())
    assert (seen is None) == (words is None)
    assert words is None or (words in str(seen) and "call 2" in str(seen))


def test_the_summary_counts_all() -> None:
    """Outcomes, percentiles, and nothing where nothing was measured."""
    refused = report(outcome="refused", reason="486", answered_ms=None, greeting_ms=None, turns=())
    made = summary([report(), refused], Limits())
    assert made["ok"] == 1
    assert made["outcomes"] == {"completed": 1, "refused": 1}
    assert made["turn_ms"] == {"p50": 700.0, "p95": 700.0, "max": 700.0}
    assert spread([]) is None

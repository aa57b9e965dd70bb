"""A call report for people and for programs."""

from __future__ import annotations

import textwrap
from typing import Any

from voicestack.phone.conversation import CallReport, Turn

WIDTH = 80
_LABEL = 11


def as_json(report: CallReport) -> dict[str, Any]:
    """Plain values with units in their names; null for what was not reached or not looked at."""
    latencies = bool(report.latencies_ms)
    return {
        "ok": report.ok,
        "number": report.number,
        "server": f"{report.server[0]}:{report.server[1]}",
        "outcome": report.outcome,
        "reason": report.reason,
        "hint": report.hint,
        "trying_ms": _round(report.trying_ms),
        "ringing_ms": _round(report.ringing_ms),
        "answered_ms": _round(report.answered_ms),
        "greeting_ms": _round(report.greeting_ms),
        "greeting": report.greeting,
        "turns": [_turn_json(turn) for turn in report.turns],
        "planned_turns": report.planned_turns,
        "latency_p50_ms": _round(report.latency_percentile_ms(50)) if latencies else None,
        "latency_p95_ms": _round(report.latency_percentile_ms(95)) if latencies else None,
        "dtmf_received": report.dtmf_received,
        "lost_packets": report.lost_packets,
        "worst_late_ms": _round(report.worst_late_ms),
        "recording": str(report.recording) if report.recording else None,
    }


def _turn_json(turn: Turn) -> dict[str, Any]:
    return {
        "said": turn.said,
        "heard": turn.heard,
        "answered": turn.answered,
        "latency_ms": _round(turn.latency_ms),
        "reply_s": round(turn.reply_s, 2),
        "talked_over": turn.talked_over,
        "barge_in_stop_ms": _round(turn.barge_in_stop_ms),
    }


def as_text(report: CallReport) -> str:
    """At most 80 columns, no colour."""
    if report.answered_ms is None:
        return ""
    steps = (("100", report.trying_ms), ("180", report.ringing_ms))
    setup = ", ".join(f"{status} after {_ms(at)}" for status, at in steps if at is not None)
    answered = f"after {_ms(report.answered_ms)}" + (f" ({setup})" if setup else "")
    lines = [
        _line("called", f"{report.number} at {report.server[0]}:{report.server[1]}"),
        _line("answered", answered),
        _line("greeting", _greeting(report)),
    ]
    for number, turn in enumerate(report.turns, 1):
        lines += _turn_text(number, turn)
    lines += _summary(report)
    return "\n".join(lines)


def _greeting(report: CallReport) -> str:
    if report.greeting_ms is None:
        return "none"
    return f"after {_ms(report.greeting_ms)}" + (f": {report.greeting}" if report.greeting else "")


def _turn_text(number: int, turn: Turn) -> list[str]:
    latency = "NO REPLY" if turn.latency_ms is None else f"reply after {_ms(turn.latency_ms)}"
    if turn.talked_over:
        latency += ", the agent spoke before the caller had finished"
    if turn.barge_in_stop_ms is not None:
        latency += f", agent silent {_ms(turn.barge_in_stop_ms)} after the caller began"
    lines = [_line(f"turn {number}", latency), _line("  caller", turn.said)]
    if turn.heard:
        lines.append(_line("  agent", turn.heard))
    return lines


def _summary(report: CallReport) -> list[str]:
    lines = []
    if latencies := report.latencies_ms:
        p50, p95 = (_ms(report.latency_percentile_ms(percent)) for percent in (50, 95))
        lines.append(_line("latency", f"p50 {p50}, p95 {p95} over {len(latencies)} turns as heard"))
    if report.dtmf_received:
        lines.append(_line("keys", f"the agent pressed {report.dtmf_received}"))
    if report.lost_packets:
        lines.append(_line("lost", f"{report.lost_packets} RTP packets never came"))
    lines.append(_line("ended", report.reason))
    if report.recording:
        # Not wrapped: a path in two pieces cannot be copied.
        lines.append(f"{'recording':<{_LABEL}}{report.recording}")
    return lines


def _line(label: str, text: str) -> str:
    indent = " " * _LABEL
    return textwrap.fill(text, WIDTH, initial_indent=f"{label:<{_LABEL}}", subsequent_indent=indent)


def _ms(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} ms"


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)

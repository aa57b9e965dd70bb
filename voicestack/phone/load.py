"""Many calls at a time: how many are answered, how fast, and which limit breaks first."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from voicestack.phone.conversation import CallReport, Plan, Tell, Utterance, converse
from voicestack.phone.measure import percentile
from voicestack.phone.phone import Phone
from voicestack.phone.wire.sip import Address

# Callers that wait longer have hung up.
RING_S = 20.0


@dataclass(frozen=True, slots=True)
class Load:
    """What to try. `ramp_s` lies between the beginnings of two calls."""

    calls: int
    ramp_s: float
    turns: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What still counts as good, as a caller feels it."""

    answer_ms: float = 2_000.0
    turn_ms: float = 2_000.0


async def place(
    server: Address, number: str, utterances: Sequence[Utterance], load: Load, *, tell: Tell
) -> list[CallReport]:
    """Place the calls side by side; one that fails is a result like others."""

    async def one(index: int) -> CallReport:
        await asyncio.sleep(index * load.ramp_s)
        said = [utterances[turn % len(utterances)] for turn in range(load.turns)]
        # Each its own number: livekit-sip makes the caller's identity of it.
        async with Phone(user=f"+1510555{index:04d}") as phone:
            plan = dataclasses.replace(Plan(), ring_timeout_s=RING_S)
            report = await converse(server, number, said, phone=phone, plan=plan)
        tell(f"call {index + 1}: {report.outcome}, {len(report.turns)} turns")
        return report

    return list(await asyncio.gather(*(one(index) for index in range(load.calls))))


def summary(reports: Sequence[CallReport], limits: Limits) -> dict[str, object]:
    """Percentiles over all calls, and what broke first."""
    answered = [each.answered_ms for each in reports if each.answered_ms is not None]
    greeted = [each.greeting_ms for each in reports if each.greeting_ms is not None]
    turns = [ms for each in reports for ms in each.latencies_ms]
    return {
        "calls": len(reports),
        "ok": sum(each.ok for each in reports),
        "outcomes": dict(Counter(each.outcome for each in reports)),
        "reasons": dict(Counter(each.reason for each in reports if not each.ok)),
        "answered_ms": spread(answered),
        "greeting_ms": spread(greeted),
        "turn_ms": spread(turns),
        "lost_packets": sum(each.lost_packets or 0 for each in reports),
        "first_limit": first_limit(reports, limits),
    }


def spread(values: Sequence[float]) -> dict[str, float] | None:
    """Median, 95 of 100, and the worst."""
    if not values:
        return None
    median, p95 = (round(percentile(values, percent), 1) for percent in (50, 95))
    return {"p50": median, "p95": p95, "max": round(max(values), 1)}


def first_limit(reports: Sequence[CallReport], limits: Limits) -> str | None:
    """Name the limit that broke in the earliest call, in the order in which a caller meets them."""
    for index, each in enumerate(reports, 1):
        if each.answered_ms is None:
            return f"call {index} was not answered: {each.reason}"
        if each.answered_ms > limits.answer_ms:
            return f"call {index} was answered after {each.answered_ms:.0f} ms"
        if each.greeting_ms is None:
            return f"call {index} heard no greeting"
        if any(not turn.answered for turn in each.turns):
            return f"call {index} had a turn without a reply"
        if each.latencies_ms and max(each.latencies_ms) > limits.turn_ms:
            return f"call {index} waited {max(each.latencies_ms):.0f} ms for a reply"
    return None

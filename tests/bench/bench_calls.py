"""Measure calls as the caller hears them: `python -m tests.bench.bench_calls [--quick] [--json]`.

Real servers, real models, recorded human speech over SIP and RTP on loopback. The plain build of
LiveKit's documentation (plain_agent.py) runs in the same bench for comparison.
"""

import argparse
import asyncio
import dataclasses
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import speech
from tests.bench import machine
from tests.calls import test_heals, world
from tests.calls.test_busy import busy_cores
from voicestack.native.supervisor import Supervisor
from voicestack.native.up import Stack
from voicestack.phone import Phone, audio, measure
from voicestack.phone.conversation import CallReport, Plan, Utterance, converse

TURNS_PER_CALL = 10
# A reply may be long; the next words come when the agent has paused this long.
PLAN = Plan(until_quiet_s=0.8, reply_timeout_s=10.0)


def samples_of(utterances: list[speech.Utterance], *, barge_in: bool = False) -> list[Utterance]:
    """What the phone says."""
    return [
        Utterance(each.name, audio.telephone_samples(each.path), barge_in=barge_in)
        for each in utterances
    ]


async def calls(stack: Stack, script: list[Utterance]) -> list[CallReport]:
    """Say the whole script, ten turns a call."""
    reports = []
    for start in range(0, len(script), TURNS_PER_CALL):
        async with Phone() as phone:
            part = script[start : start + TURNS_PER_CALL]
            reports.append(
                await converse(world.server(stack), world.NUMBER, part, phone=phone, plan=PLAN)
            )
    return reports


async def setups(stack: Stack, count: int) -> list[CallReport]:
    """Call, hear the greeting's beginning, hang up."""
    reports = []
    for _ in range(count):
        async with Phone() as phone:
            reports.append(
                await converse(world.server(stack), world.NUMBER, [], phone=phone, plan=PLAN)
            )
    return reports


def spread(values: list[float]) -> dict[str, float | int]:
    """Count, median, 95th percentile and worst, in whole units."""
    if not values:
        return {"n": 0}
    percentiles = {f"p{p}": round(measure.percentile(values, p)) for p in (50, 95)}
    return {"n": len(values), **percentiles, "max": round(max(values))}


def summary(reports: list[CallReport]) -> dict[str, Any]:
    """The figures of some calls."""
    turns = [turn for report in reports for turn in report.turns]
    planned = sum(report.planned_turns for report in reports)
    stops = [turn.barge_in_stop_ms for turn in turns if turn.barge_in_stop_ms is not None]
    return {
        "calls": len(reports),
        "calls_completed": sum(report.outcome == "completed" for report in reports),
        "invite_to_200_ms": spread([r.answered_ms for r in reports if r.answered_ms is not None]),
        "answer_to_greeting_ms": spread(
            [r.greeting_ms for r in reports if r.greeting_ms is not None]
        ),
        "turns_planned": planned,
        "turns_answered": sum(turn.answered for turn in turns),
        "talked_over": sum(turn.talked_over for turn in turns),
        "turn_latency_ms": spread([ms for report in reports for ms in report.latencies_ms]),
        "barge_in_stop_ms": spread(stops),
    }


async def healing(stack: Stack, utterance: speech.Utterance) -> dict[str, float]:
    """For each service: seconds from its SIGKILL in mid-call to the next call that works."""
    with Supervisor(stack.paths) as supervisor:
        took_s = {}
        for name in test_heals.SERVICES:
            pid = {state.name: state.pid for state in supervisor.states()}[name]
            took_s[f"{name}_s"] = round(await test_heals.kill(stack, utterance, pid), 1)
    return took_s


@contextmanager
def ours(folder: Path) -> Iterator[Stack]:
    """The stack as it is."""
    folder.mkdir()
    with world.running(folder) as stack:
        yield stack


@contextmanager
def plain(folder: Path) -> Iterator[Stack]:
    """The same servers and models with the plain agent."""
    folder.mkdir()
    with world.prepared(folder) as stack:
        instead = ("-m", "tests.bench.plain_agent", "start")
        stack.declared = tuple(
            dataclasses.replace(each, command=(*each.command, *instead))
            if each.name == "agent"
            else each
            for each in stack.declared
        )
        stack.up(lambda _: None)
        yield stack


def measured(folder: Path, *, quick: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every figure of the issue, ours and the plain build's, as soon as it is there."""
    whole = speech.utterances(complete_only=True, min_s=1.0)[: 10 if quick else 30]
    yield "machine", dataclasses.asdict(machine.look())
    with ours(folder / "ours") as stack:
        asyncio.run(calls(stack, samples_of(whole[:1])))  # the first call after a start
        yield "set-up, idle", summary(asyncio.run(setups(stack, 5 if quick else 15)))
        yield "turns, idle", summary(asyncio.run(calls(stack, samples_of(whole))))
        interruptions = samples_of(whole[:10], barge_in=True)
        yield "barge-in, idle", summary(asyncio.run(calls(stack, interruptions)))
        with busy_cores():
            busy = asyncio.run(calls(stack, samples_of(whole[:10])))
        yield "turns, both cores busy", summary(busy)
        yield "healed after a kill", asyncio.run(healing(stack, whole[0]))
    with plain(folder / "plain") as stack:
        asyncio.run(calls(stack, samples_of(whole[:1])))
        yield (
            "plain build, turns, idle",
            summary(asyncio.run(calls(stack, samples_of(whole[:10])))),
        )


def main() -> int:
    """Print the figures; exit 1 when a call or a turn of ours went unanswered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer turns: about 15 minutes")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    machine.phones_do_not_wait()
    result = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name, figures in measured(Path(folder), quick=options.quick):
            result[name] = figures
            if not options.json:
                show(name, figures)
    if options.json:
        print(json.dumps(result, indent=2))
    own = [each for name, each in result.items() if "idle" in name and "plain" not in name]
    return int(any(each["turns_answered"] < each["turns_planned"] for each in own))


def show(name: str, figures: dict[str, Any]) -> None:
    """Print one part as a person reads it."""
    print(name)
    for key, value in figures.items():
        print(f"  {key:<24}{value}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

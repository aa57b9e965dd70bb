"""Run checks: side by side where they are independent, each within its time."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from voicestack.diagnosis.model import CannotTellError, Check, Context, Finding, Result, Unknown

Progress = Callable[[Result], None]


async def run(
    checks: Sequence[Check], context: Context, progress: Progress = lambda _: None
) -> list[Result]:
    """Results in the order of `checks`; a check waits for those that it needs."""
    tasks: dict[str, asyncio.Task[Result]] = {}
    async with asyncio.TaskGroup() as group:
        for check in checks:
            needed = {
                need: tasks[need.partition(":")[0]] for need in check.needs if _in(need, tasks)
            }
            tasks[check.name] = group.create_task(
                _one(check, context, needed, progress), name=check.name
            )
    return told_once([task.result() for task in tasks.values()])


def told_once(results: list[Result]) -> list[Result]:
    """Without findings that another one explains."""
    explained = {key for result in results for each in result.findings for key in each.explains}
    return [
        replace(result, state="fault" if kept else "skipped", findings=kept)
        if len(kept := tuple(f for f in result.findings if f.key not in explained))
        < len(result.findings)
        else result
        for result in results
    ]


def _in(need: str, tasks: dict[str, asyncio.Task[Result]]) -> bool:
    return need.partition(":")[0] in tasks


async def _one(
    check: Check, context: Context, needed: dict[str, asyncio.Task[Result]], progress: Progress
) -> Result:
    for need, task in needed.items():
        if (await task).blames(need.partition(":")[2]):
            result = Result(check, "skipped")
            progress(result)
            return result
    started_s = time.monotonic()
    findings, unknowns = await _look_and_judge(check, context)
    state = "fault" if findings else "unknown" if unknowns else "ok"
    took_s = time.monotonic() - started_s
    result = Result(check, state, findings, unknowns, took_s)  # type: ignore[arg-type]
    progress(result)
    return result


async def _look_and_judge(
    check: Check, context: Context
) -> tuple[tuple[Finding, ...], tuple[Unknown, ...]]:
    # Not asyncio.timeout: it would wait for a look that does not let itself be stopped.
    looking = asyncio.ensure_future(check.look(context))
    try:
        done, _ = await asyncio.wait({looking}, timeout=check.limit_s)
    finally:
        looking.cancel()
    if not done:
        return (), (Unknown(f"looking took longer than {check.limit_s:g} s", "run it once more"),)
    try:
        facts = looking.result()
    except CannotTellError as error:
        return (), (error.unknown,)
    except Exception as error:  # the edge: a look that fails must not hide what others see
        return (), (Unknown(f"looking failed: {type(error).__name__}: {error}"),)
    context.facts[check.name] = facts
    verdict = check.judge(facts)
    findings = tuple(each for each in verdict if isinstance(each, Finding))
    return findings, tuple(each for each in verdict if isinstance(each, Unknown))

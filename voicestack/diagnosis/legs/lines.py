"""Trunks and rules as LiveKit holds them against the lines file."""

from dataclasses import dataclass
from datetime import datetime

import httpx

from voicestack.diagnosis.model import Check, Context, Finding, Verdict
from voicestack.errors import ApplyError
from voicestack.lines.apply import switchboard
from voicestack.lines.plan import Step
from voicestack.lines.wanted import networks, wanted

LEG = "lines"
TIMEOUT_S = 2.0
# What callers notice of a field that somebody changed (protocol sip/sip.go: trunks compare
# digits, rules compare letters; agents are asked for as a room is made).
EFFECTS = {
    ("trunk", "numbers"): "other numbers are answered",
    ("trunk", "allowed_addresses"): "calls from other addresses are let in, ours may not be",
    ("rule", "inbound_numbers"): "only these callers get in, compared letter by letter",
    ("rule", "room_config"): "another agent is asked for, or none: then it rings and nobody comes",
    ("rule", "rule"): "calls meet in a room that may be there already: no agent is asked for then",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What applying the file would change now, and what control says of itself."""

    steps: tuple[Step, ...] = ()
    conflicts: tuple[str, ...] = ()
    open_rules: tuple[str, ...] = ()
    error: str = ""
    control: str = ""  # what control misses; empty: nothing, or control was not asked


async def look(context: Context) -> Facts:
    """Plan, as `scripts/lines.py diff` does, and ask control."""
    held = context.secrets
    url = f"http://127.0.0.1:{context.ports['livekit_http']}"
    places = networks(loopback=context.settings.listen == "loopback")
    try:
        async with switchboard(url, held.livekit_api_key, held.livekit_api_secret) as board:
            now = datetime.now()  # outside its hours a line asks for another agent, or for none
            plan = await board.plan([wanted(line, places, now) for line in context.lines])
    except ApplyError as error:
        return Facts(error=str(error))
    return Facts(plan.steps, plan.conflicts, plan.warnings, control=await _control(context))


async def _control(context: Context) -> str:
    url = f"http://127.0.0.1:{context.ports['control']}/ready"
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
            page = (await client.get(url)).json()
    except (httpx.HTTPError, ValueError):
        return ""  # whether control runs is looked at elsewhere
    return "; ".join(map(str, page.get("missing", ())))


def judge(facts: Facts) -> Verdict:
    """What is not ours explains why ours is not applied, so it goes first."""
    if facts.error:
        return [Finding("LIN005", facts.error)]
    found = [Finding("LIN004", text) for text in facts.open_rules]
    if facts.conflicts:
        return [*found, *(Finding("LIN003", text) for text in facts.conflicts)]
    by_number: dict[str, list[Step]] = {}
    for step in facts.steps:
        by_number.setdefault(step.number, []).append(step)
    found += [_of_line(number, steps) for number, steps in by_number.items()]
    if facts.control and not found:
        found.append(Finding("LIN005", facts.control))
    return found


def _of_line(number: str, steps: list[Step]) -> Finding:
    """A missing trunk takes its rule with it: one finding a line."""
    what = " and ".join(step.kind for step in steps)
    if any(step.verb == "create" for step in steps):
        return Finding("LIN001", f"its {what} is missing", number)
    if all(step.verb == "delete" for step in steps):
        return Finding("LIN009", f"a {what} that the file does not have", number)
    fields = ", ".join(name for step in steps for name in step.fields)
    effects = [EFFECTS.get((step.kind, name), "") for step in steps for name in step.fields]
    seen = "; ".join((f"its {what} differs: {fields}", *filter(None, effects)))
    return Finding("LIN002", seen, number)


CHECKS = (
    Check(
        "lines", LEG, "lines in LiveKit", look, judge, needs=("server", "lines file"), limit_s=4.0
    ),
)

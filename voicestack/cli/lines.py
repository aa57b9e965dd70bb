"""`voicestack lines`: show, compare or apply the phone lines of sip/lines.yaml."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from voicestack.cli.frame import FAILED, OK, Answer, AsJson, finish, group, root
from voicestack.lines.desk import Desk
from voicestack.lines.plan import Plan

app = group("""Show, compare or apply the phone lines of sip/lines.yaml.

\b
Examples:
  scripts/lines.py show
  scripts/lines.py diff     # exit 1 if anything differs in LiveKit
  scripts/lines.py apply --json""")


@app.command()
def show(as_json: AsJson = False) -> None:
    """Print the lines of the file, checked; no server is asked."""

    def once() -> Answer:
        lines = Desk.of(root()).show()
        texts = ["  ".join(f"{key}={value}" for key, value in line.items()) for line in lines]
        return Answer({"lines": lines}, "\n".join(texts))

    finish(once, as_json=as_json)


@app.command()
def diff(as_json: AsJson = False) -> None:
    """Print what differs in LiveKit; exit 1 if anything does."""
    finish(lambda: _planned(Desk.of(root()).diff, fails=True), as_json=as_json)


@app.command()
def apply(as_json: AsJson = False) -> None:
    """Make LiveKit agree with the file; a bad file changes nothing."""
    finish(lambda: _planned(Desk.of(root()).apply, fails=False), as_json=as_json)


def _planned(work: Callable[[], Coroutine[Any, Any, Plan]], *, fails: bool) -> Answer:
    plan = asyncio.run(work())
    steps = [str(step) for step in plan.steps]
    differs = bool(plan.steps or plan.conflicts)
    code = FAILED if fails and differs else OK
    text = "\n".join(steps) or "no changes"
    return Answer({"changes": steps}, text, code, (*plan.conflicts, *plan.warnings))

"""Show, compare or apply the phone lines of sip/lines.yaml. Example: scripts/lines.py diff."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from voicestack.errors import VoicestackError
from voicestack.lines.desk import Desk
from voicestack.lines.plan import Plan

app = typer.Typer(add_completion=False, rich_markup_mode=None, help=__doc__)
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object on stdout")]


@app.command()
def show(as_json: AsJson = False) -> None:
    """Print the lines of the file, checked; no server is asked."""
    lines = _desk().show()
    texts = ["  ".join(f"{key}={value}" for key, value in line.items()) for line in lines]
    print(json.dumps({"lines": lines}) if as_json else "\n".join(texts))


@app.command()
def diff(as_json: AsJson = False) -> None:
    """Print what differs in LiveKit; exit 1 if anything does."""
    plan = _run(_desk().diff, as_json=as_json)
    raise typer.Exit(1 if plan.steps or plan.conflicts else 0)


@app.command()
def apply(as_json: AsJson = False) -> None:
    """Make LiveKit agree with the file; a bad file changes nothing."""
    _run(_desk().apply, as_json=as_json)


def _desk() -> Desk:
    return Desk.of(Path.cwd())


def _run(work: Callable[[], Coroutine[Any, Any, Plan]], *, as_json: bool) -> Plan:
    plan = asyncio.run(work())
    for text in (*plan.conflicts, *plan.warnings):
        print(f"attention: {text}", file=sys.stderr)
    steps = [str(step) for step in plan.steps]
    print(json.dumps({"changes": steps}) if as_json else "\n".join(steps) or "no changes")
    return plan


if __name__ == "__main__":
    try:
        app()
    except VoicestackError as error:
        print(error.report(), file=sys.stderr)
        sys.exit(2)

"""Stop the stack. Calls in progress may end by themselves first (DRAIN_S, default 60 seconds).

Examples:
    .venv/bin/python scripts/down.py
    .venv/bin/python scripts/down.py --now    # hang up on everybody
"""

import sys
from pathlib import Path

import typer

from voicestack.native import show

ROOT = Path(__file__).resolve().parent.parent
app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main(
    now: bool = typer.Option(False, "--now", help="do not wait for calls to end"),
    json: bool = typer.Option(False, "--json", help="print one JSON object on stdout"),
) -> None:
    """Exit 0 when nothing runs any more."""
    sys.exit(show.down(ROOT, now=now, as_json=json))


if __name__ == "__main__":
    app()

"""Start the stack on this machine and wait until a call would be answered.

Examples:
    .venv/bin/python scripts/up.py
    .venv/bin/python scripts/up.py --json
    STACK_PORT_BASE=21000 STATE_DIR=/tmp/second .venv/bin/python scripts/up.py
"""

import sys
from pathlib import Path

import typer

from voicestack.native import show

ROOT = Path(__file__).resolve().parent.parent
app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main(
    json: bool = typer.Option(False, "--json", help="print one JSON object on stdout"),
) -> None:
    """Exit 0 when ready, 1 when a service is not, 2 when the settings are unfit."""
    sys.exit(show.up(ROOT, as_json=json))


if __name__ == "__main__":
    app()

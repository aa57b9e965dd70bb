"""What runs of the stack: each service's state, restarts and process.

Examples:
    .venv/bin/python scripts/status.py
    .venv/bin/python scripts/status.py --json | jq .services
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
    """Exit 0 when every service is ready, 1 when one is not, 2 when the settings are unfit."""
    sys.exit(show.status(ROOT, as_json=json))


if __name__ == "__main__":
    app()

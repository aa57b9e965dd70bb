"""Show the logs of the services, oldest line first.

Examples:
    .venv/bin/python scripts/logs.py                  # the end of every log
    .venv/bin/python scripts/logs.py agent --follow
    .venv/bin/python scripts/logs.py sip --lines 500
"""

import os
import sys
from pathlib import Path

import typer

from voicestack.errors import VoicestackError
from voicestack.native import show

ROOT = Path(__file__).resolve().parent.parent
app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main(
    service: str = typer.Argument("", help="redis, livekit, sip, control, llm, tts, agent, caddy"),
    follow: bool = typer.Option(False, "--follow", "-f", help="go on until Ctrl-C"),
    lines: int = typer.Option(20, min=1, help="how many lines of each log"),
) -> None:
    """Hand over to tail(1)."""
    try:
        files = [str(file) for file in show.log_files(ROOT, service)]
    except VoicestackError as error:
        print(error.report(), file=sys.stderr)
        sys.exit(2)
    os.execvp(  # noqa: S606 - tail takes our place
        "tail", ["tail", "-n", str(lines), *(["-F"] if follow else []), *files]
    )


if __name__ == "__main__":
    app()

"""What a firewall must let in, to whom and why, from the port table, .env and sip/lines.yaml.

\b
Examples:
  .venv/bin/python scripts/show_ports.py
  .venv/bin/python scripts/show_ports.py --format ufw | sudo sh
  .venv/bin/python scripts/show_ports.py --format nft --browsers 0.0.0.0/0
  sudo .venv/bin/python scripts/show_ports.py --check    # what listens is what the table says
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from voicestack.firewall import show
from voicestack.firewall.forms import FORMS

ROOT = Path(__file__).resolve().parent.parent
app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def main(
    form: Annotated[str, typer.Option("--format", help=f"{' | '.join(FORMS)}")] = "text",
    browsers: Annotated[
        list[str] | None,
        typer.Option(help="networks of people with a browser; default: this machine's LAN"),
    ] = None,
    check: Annotated[bool, typer.Option(help="compare with what listens here")] = False,
) -> None:
    """Exit 0; 1 when --check finds a difference; 2 when settings or lines are unfit."""
    sys.exit(show.run(ROOT, form=form, browsers=browsers or [], check=check))


if __name__ == "__main__":
    app()

"""`voicestack show-ports`: what a firewall must let in, to whom and why."""

import sys
from typing import Annotated

import typer

from voicestack.cli.frame import root
from voicestack.firewall import show
from voicestack.firewall.forms import FORMS


def show_ports(
    form: Annotated[str, typer.Option("--format", help=f"{' | '.join(FORMS)}")] = "text",
    browsers: Annotated[
        list[str] | None,
        typer.Option(help="networks of people with a browser; default: this machine's LAN"),
    ] = None,
    check: Annotated[bool, typer.Option(help="compare with what listens here")] = False,
) -> None:
    """Show what a firewall must let in, from the port table, .env and sip/lines.yaml.

    Exit code: 0; 1 when --check finds a difference; 2 when settings or lines are unfit.

    \b
    Examples:
      scripts/show_ports.py
      scripts/show_ports.py --format ufw | sudo sh
      scripts/show_ports.py --format nft --browsers 0.0.0.0/0
      sudo .venv/bin/python scripts/show_ports.py --check    # what listens is what the table says
    """
    sys.exit(show.run(root(), form=form, browsers=browsers or [], check=check))

"""`voicestack backup`, `restore`, `upgrade`, `airgap`, `cloud-init`: a machine's life.

These read their arguments themselves: with Docker their scripts run where there is no typer.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from voicestack.cli.frame import ROOT
from voicestack.host import airgap, cloud, keepsake
from voicestack.upgrade import command

Main = Callable[[Sequence[str] | None, Path], int]
VERBS: dict[str, tuple[Main, str]] = {
    "backup": (keepsake.backup, "Put lines, settings, secrets and history into one file."),
    "restore": (keepsake.restore, "Put a backup back onto a machine that has no stack yet."),
    "upgrade": (command.main, "Go to a new version, and back by itself if that does not answer."),
    "airgap": (airgap.main, "Pack everything that a machine without a way out needs."),
    "cloud-init": (cloud.main, "Print user-data: a virtual machine becomes a stack by itself."),
}
# Options, --help too, are the verb's own.
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def add_to(app: typer.Typer) -> None:
    """Add every verb to a command line."""
    for name, (main, about) in VERBS.items():
        app.command(name=name, help=about, context_settings=PASSED_ON)(_verb(main))


def _verb(main: Main) -> Callable[[typer.Context], None]:
    def verb(context: typer.Context) -> None:
        sys.exit(main(context.args, ROOT))

    return verb

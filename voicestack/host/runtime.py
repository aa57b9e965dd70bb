"""Which of the two runtimes a checkout's stack runs in."""

import argparse
import os
from pathlib import Path

from voicestack.errors import VoicestackError

COMPOSE, NATIVE = "compose", "native"
# As `make RUNTIME=compose` says it.
VARIABLE = "RUNTIME"


def add_option(parser: argparse.ArgumentParser) -> None:
    """Let the operator say it."""
    parser.add_argument(
        "--runtime",
        choices=(COMPOSE, NATIVE),
        help=f"what the stack runs in; default: ${VARIABLE}, else native where there is a .venv",
    )


def chosen(option: str | None, checkout: Path) -> str:
    """What the operator says; else native, if this checkout was ever set up for it."""
    said = option or os.environ.get(VARIABLE)
    if said is None:
        return NATIVE if (checkout / ".venv").exists() else COMPOSE
    if said not in {COMPOSE, NATIVE}:
        raise VoicestackError(f"RUNTIME={said} is not known", hint=f"{COMPOSE} or {NATIVE}")
    return said

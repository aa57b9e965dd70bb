"""`voicestack test-call`: a telephone that calls the agent, listens and measures."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from voicestack.cli.frame import root
from voicestack.phone import first_call
from voicestack.phone.phone import DEFAULT_USER


def _option(name: str, about: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(name, help=about)
    return option


def call(
    speech: Annotated[list[str] | None, typer.Argument(help="text or WAV files")] = None,
    number: Annotated[str, _option("--number", "number to dial")] = "+15550100",
    caller: Annotated[str, _option("--from", "number of the caller")] = DEFAULT_USER,
    server: Annotated[str | None, _option("--server", "host:port; default: our stack")] = None,
    user: Annotated[str | None, _option("--user", "user, where the line asks for one")] = None,
    password_file: Annotated[Path | None, _option("--password-file", "its password")] = None,
    dtmf: Annotated[str, _option("--dtmf", "keys to press after the greeting")] = "",
    greeting_only: Annotated[bool, _option("--greeting-only", "say nothing")] = False,
    barge_in: Annotated[bool, _option("--barge-in", "say the last over the agent")] = False,
    no_transcribe: Annotated[bool, _option("--no-transcribe", "times only, no words")] = False,
    as_json: Annotated[bool, _option("--json", "print one JSON object")] = False,
    reachable: Annotated[
        bool, _option("--reachable", "dial the first number that takes calls from here")
    ] = False,
) -> None:
    """Call the agent and show what is heard: words, and how long each reply took.

    Speech is text, or the path of a WAV file. The report goes to stdout. Exit code: 0 every turn
    was answered, 1 the call failed or a reply was missing, 2 the arguments make no call.

    \b
    Examples:
      scripts/test_call.py
      scripts/test_call.py "Are you open on Sunday?" question.wav
      scripts/test_call.py --greeting-only --json
      scripts/test_call.py --server 192.0.2.10:5060 --dtmf 12#
      scripts/test_call.py --user alice --password-file alice.txt
    """
    order = first_call.Order(
        speech or [], number, caller, server, user, password_file, dtmf, greeting_only, barge_in,
        not no_transcribe, as_json, reachable,
    )  # fmt: skip
    sys.exit(first_call.run(root(), order))

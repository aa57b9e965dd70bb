"""`voicestack up`, `status`, `down`: the stack as a whole."""

from typing import Annotated, Any

import typer

from voicestack import settings
from voicestack.cli.frame import FAILED, ROOT, Answer, AsJson, Watch, finish, root
from voicestack.native import show
from voicestack.native.up import Stack


def up(as_json: AsJson = False) -> None:
    """Start the stack on this machine and wait until a call would be answered.

    Exit code: 0 ready, 1 a service is not, 2 the settings are unfit.

    \b
    Examples:
      scripts/up.py
      scripts/up.py --json
      STACK_PORT_BASE=21000 STATE_DIR=/tmp/second scripts/up.py
    """
    finish(lambda: _answer(show.up(stack())), as_json=as_json)


def status(as_json: AsJson = False, watch: Watch = False) -> None:
    """Show each service's state, restarts and process.

    Exit code: 0 every service is ready, 1 one is not, 2 the settings are unfit.

    \b
    Examples:
      scripts/status.py
      scripts/status.py --json | jq .services
    """
    finish(lambda: _answer(show.status(stack())), as_json=as_json, watch=watch)


def down(
    now: Annotated[bool, typer.Option("--now", help="do not wait for calls to end")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop the stack. Calls in progress may end by themselves first (DRAIN_S, 60 s by default).

    Exit code: 0 nothing runs any more.

    \b
    Examples:
      scripts/down.py
      scripts/down.py --now
    """
    finish(lambda: _answer(show.down(stack(), now=now)), as_json=as_json)


def stack() -> Stack:
    """The stack of the folder that we stand in."""
    return Stack(settings.load(root()), ROOT)


def _answer(result: dict[str, Any]) -> Answer:
    text, failed = result.pop("text"), result.pop("failed", False)
    return Answer(result, text, FAILED if failed else 0)

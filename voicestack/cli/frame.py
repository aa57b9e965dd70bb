"""The frame of every command: settings in, one answer on stdout, talk on stderr, an exit code.

0: done, and all is well. 1: not done, or something is not as it should be. 2: nothing was tried,
because arguments or settings are unfit.
"""

import asyncio
import json
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from voicestack.errors import FaultsError, VoicestackError
from voicestack.office import Office

OK, FAILED, UNFIT = 0, 1, 2
# The checkout that this file belongs to.
ROOT = Path(__file__).resolve().parents[2]
# What a stack's folder holds at least one of.
SIGNS = (".env", ".state", "sip/lines.yaml")
WATCH_S = 1.0

AsJson = Annotated[bool, typer.Option("--json", help="one JSON object on stdout")]
Watch = Annotated[bool, typer.Option("--watch", help="again every second, until Ctrl-C")]


class UsageError(VoicestackError):
    """Arguments that nothing can be done with."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command has to say."""

    data: dict[str, Any]
    text: str
    code: int = OK
    attention: Sequence[str] = field(default=())


Act = Callable[[Office], Awaitable[Answer]]


def root() -> Path:
    """The folder whose settings hold: where we stand if it is a stack's, else this checkout."""
    here = Path.cwd()
    return here if any((here / sign).exists() for sign in SIGNS) else ROOT


def group(about: str) -> typer.Typer:
    """A command line whose help is read as it is written."""
    return typer.Typer(
        add_completion=False, rich_markup_mode=None, help=about, no_args_is_help=True
    )


def single(command: Callable[..., object]) -> typer.Typer:
    """A command line of one command; its help is the command's docstring."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(help=command.__doc__)(command)
    return app


def ask(act: Act, *, as_json: bool, watch: bool = False) -> NoReturn:
    """Do it with the servers of this stack, print the answer, exit."""

    def once() -> Answer:
        return asyncio.run(_with_office(act))

    finish(once, as_json=as_json, watch=watch)


async def _with_office(act: Act) -> Answer:
    return await act(Office.of(root()))


def finish(once: Callable[[], Answer], *, as_json: bool, watch: bool = False) -> NoReturn:
    """Print what `once` answers, as often as asked for, and exit with its code."""
    code = OK
    try:
        while True:
            code = _shown(once, as_json=as_json, clear=watch and sys.stdout.isatty())
            if not watch:
                break
            time.sleep(WATCH_S)
    except KeyboardInterrupt:
        code = OK if watch else 130  # 128 + SIGINT, as shells say it
    sys.exit(code)


def _shown(once: Callable[[], Answer], *, as_json: bool, clear: bool) -> int:
    try:
        answer = once()
    except VoicestackError as error:
        print(error.report(), file=sys.stderr, flush=True)
        return UNFIT if isinstance(error, FaultsError | UsageError) else FAILED
    for text in answer.attention:
        print(f"attention: {text}", file=sys.stderr)
    if clear:
        print("\x1b[H\x1b[2J", end="")
    print(json.dumps(answer.data) if as_json else answer.text, flush=True)
    return answer.code


def table(headers: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> str:
    """Columns that fit the terminal, or 80 characters: the widest cells are cut."""
    if not rows:
        return empty
    cells = [list(headers), *([_cell(each) for each in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers))]
    room = shutil.get_terminal_size((80, 24)).columns - 2 * (len(headers) - 1)
    while sum(widths) > room:
        widest = widths.index(max(widths))
        widths[widest] -= 1
    lines = []
    for row in cells:
        cut = [_cut(text, width) for text, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cut).rstrip())
    return "\n".join(lines)


def _cell(value: object) -> str:
    return "-" if value is None or value == "" else str(value)


def _cut(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "~"


def metadata(text: str) -> str:
    """Check that a text is a JSON object, as agents expect it."""
    try:
        value = json.loads(text or "{}")
    except ValueError as error:
        raise UsageError(
            f"--metadata is no JSON: {error}", hint="""for instance '{"x": 1}'"""
        ) from error
    if not isinstance(value, dict):
        raise UsageError("--metadata is no JSON object", hint="""for instance '{"x": 1}'""")
    return text

"""`voicestack logs`: the logs of the services, or everything about one call."""

import os
import sys
from typing import Annotated

import typer

from voicestack.cli.frame import FAILED, UNFIT, Answer, finish
from voicestack.cli.stack import stack
from voicestack.errors import SettingsError, VoicestackError
from voicestack.native import calllog, show
from voicestack.native.supervisor import NativeError


def logs(
    service: Annotated[
        str, typer.Argument(help="redis, livekit, sip, control, llm, tts, agent, caddy")
    ] = "",
    call: Annotated[str, typer.Option(help="only lines of this call: its room, or SCL_…")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on until Ctrl-C")] = False,
    lines: Annotated[int, typer.Option(min=1, help="how many lines of each log")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="with --call: one JSON object")] = False,
) -> None:
    """Show the logs of the services, or of one call across all of them, oldest line first.

    Exit code: 0 shown, 1 there is nothing to show, 2 the arguments or settings are unfit.

    \b
    Examples:
      scripts/logs.py                  # the end of every log
      scripts/logs.py agent --follow
      scripts/logs.py --call SCL_krGFbvaZouvF
    """
    if call:
        finish(lambda: _of_call(service, call), as_json=as_json)
    try:
        files = [str(file) for file in show.log_files(stack(), service)]
    except VoicestackError as error:
        print(error.report(), file=sys.stderr)
        sys.exit(UNFIT if isinstance(error, SettingsError) else FAILED)
    os.execvp(  # noqa: S606 - tail takes our place
        "tail", ["tail", "-n", str(lines), *(["-F"] if follow else []), *files]
    )


def _of_call(service: str, call: str) -> Answer:
    entries = calllog.of_call(show.log_files(stack(), service), call)
    if not entries:
        raise NativeError(
            f"no log speaks of {call}", hint="`scripts/calls.py list` names rooms and calls"
        )
    first = entries[0].at
    texts = [
        f"{(each.at - first).total_seconds():8.3f}  {each.service:<8} {each.level:<7} {each.phrase}"
        for each in entries
    ]
    data = {
        "call": call,
        "lines": [
            {
                "at": each.at.isoformat(),
                "service": each.service,
                "level": each.level,
                "phrase": each.phrase,
                "fields": each.fields,
            }
            for each in entries
        ],
    }
    return Answer(data, "\n".join(texts))

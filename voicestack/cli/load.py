"""`voicestack load-test`: several scripted callers at a time."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from voicestack.cli.frame import FAILED, OK, Answer, AsJson, ask, table
from voicestack.office import Office
from voicestack.phone import first_call, load


def load_test(
    calls: Annotated[int, typer.Option(min=1, max=90, help="how many calls")] = 2,
    ramp_s: Annotated[float, typer.Option(min=0, help="seconds between their beginnings")] = 0.5,
    turns: Annotated[int, typer.Option(min=0, help="questions in each call")] = 2,
    number: Annotated[str, typer.Option(help="number to dial")] = "+15550100",
    speech: Annotated[list[Path] | None, typer.Option(help="WAV files to say in turn")] = None,
    as_json: AsJson = False,
) -> None:
    """Place several calls at a time and say how fast they were and which limit broke first.

    The callers run on this machine too: its load is theirs and the stack's together.
    Exit code: 0 no limit broke, 1 one did.

    \b
    Examples:
      scripts/load_test.py --calls 4 --ramp-s 1
      scripts/load_test.py --calls 2 --turns 5 --speech question.wav --json
    """

    async def act(office: Office) -> Answer:
        server = await first_call.server_address(f"127.0.0.1:{office.ports['sip']}")
        texts = [str(file) for file in speech or []] or [first_call.FIRST_QUESTION]
        said = [await first_call.utterance(office.settings, office.ports, text) for text in texts]
        order = load.Load(calls, ramp_s, turns)
        reports = await load.place(server, number, said, order, tell=_tell)
        data = load.summary(reports, load.Limits())
        return Answer(data, _text(data), FAILED if data["first_limit"] else OK)

    ask(act, as_json=as_json)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _text(data: dict[str, object]) -> str:
    rows = []
    for name in ("answered_ms", "greeting_ms", "turn_ms"):
        spread = data[name]
        values = [f"{ms:.0f}" for ms in spread.values()] if isinstance(spread, dict) else ["-"] * 3
        rows.append([name, *values])
    lines = [
        f"{data['ok']} of {data['calls']} calls went well",
        table(["ms", "p50", "p95", "max"], rows, empty=""),
        f"first limit that broke: {data['first_limit'] or 'none'}",
    ]
    return "\n".join(lines)

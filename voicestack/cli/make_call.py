"""`voicestack make-call`: an agent calls somebody."""

import sys
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from voicestack import credentials
from voicestack.cli.frame import FAILED, OK, UNFIT, Answer, AsJson, UsageError, ask, metadata
from voicestack.lines import outbound as lines
from voicestack.lines.wanted import request_for
from voicestack.office import Office
from voicestack.outbound import rules
from voicestack.outbound.dial import Order, dial, until_ended
from voicestack.outbound.ledger import Ledger

EXIT = {"answered": OK, "busy": 10, "no answer": 11, "declined": 12, "invalid": 13}
REFUSED = 20


def make_call(
    number: Annotated[str, typer.Argument(help="who is called, E.164")],
    agent: Annotated[str, typer.Option(help="who speaks; default: AGENT_NAME")] = "",
    meta: Annotated[str, typer.Option("--metadata", help="JSON that the agent gets")] = "",
    trunk: Annotated[str, typer.Option(help="name of a trunk; default: the first")] = "",
    ring_s: Annotated[int, typer.Option(min=5, max=80, help="how long it may ring")] = 30,
    wait: Annotated[bool, typer.Option("--wait", help="until the call has ended")] = False,
    as_json: AsJson = False,
) -> None:
    """Have an agent call a number, and say what came of it.

    `outbound` in sip/lines.yaml says through whom, whom and when. What is refused is refused
    before anything is dialled.

    Exit code: 0 answered, 10 busy, 11 no answer, 12 declined, 13 no such number, 20 refused by our
    rules, 1 carrier error or no agent, 2 the arguments or settings are unfit.

    \b
    Examples:
      scripts/make_call.py +15105550123
      scripts/make_call.py +15105550123 --agent sales --metadata '{"order": 17}' --wait --json
    """

    async def act(office: Office) -> Answer:
        known = lines.parse(
            office.settings.lines_file, secrets=credentials.directory_of(office.settings)
        )
        way = rules.trunk_for(known, trunk)
        if trunk and way is None:
            raise UsageError(f"no trunk is named {trunk}", hint="see `outbound` in sip/lines.yaml")
        worker = office.settings.agent_name
        asked = request_for(agent or worker, worker, metadata(meta))
        with closing(Ledger(_ledger(office))) as ledger:
            reserved = ledger.reserve(
                number,
                lambda facts: rules.judge(number, known, facts, datetime.now()),
            )
            if isinstance(reserved, rules.Refusal):
                return _refused(number, reserved)
            assert way is not None  # `judge` refuses without one
            limit_s = office.settings.max_call_minutes * 60
            result = "failed"
            try:
                outcome = await dial(office, Order(number, way, asked, ring_s, limit_s), _tell)
                result = outcome.result
                if wait and result == "answered":
                    await until_ended(office, outcome.room)
            finally:
                ledger.finish(reserved, result)
        text = f"{number}: {result}"
        if outcome.sip_code:
            text += f" ({outcome.sip_code} {outcome.sip_reason})"
        return Answer({"number": number, **asdict(outcome)}, text, EXIT.get(result, FAILED))

    ask(act, as_json=as_json)


def _refused(number: str, why: rules.Refusal) -> Answer:
    data = {"number": number, "result": "refused", **asdict(why)}
    code = UNFIT if why.code == "invalid number" else REFUSED
    return Answer(data, f"{number}: refused, {why.reason}", code, (f"{why.reason}: {why.hint}",))


def _ledger(office: Office) -> Path:
    return office.settings.state_dir / "history" / "dials.sqlite"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

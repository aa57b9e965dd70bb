"""`voicestack make-call`: an agent calls somebody."""

import sys
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from voicestack.cli.frame import FAILED, OK, UNFIT, Answer, AsJson, UsageError, ask, metadata
from voicestack.office import Office
from voicestack.outbound import attempt, rules
from voicestack.outbound.attempt import Wish
from voicestack.outbound.ledger import Ledger, file_of
from voicestack.registrar import dialling

EXIT = {
    "answered": OK, "busy": 10, "no answer": 11, "declined": 12, "invalid": 13,
    "voicemail": 14, "screened": 15,
}  # fmt: skip
REFUSED = 20


def make_call(
    number: Annotated[str, typer.Argument(help="who is called, E.164")],
    agent: Annotated[str, typer.Option(help="who speaks; default: AGENT_NAME")] = "",
    meta: Annotated[str, typer.Option("--metadata", help="JSON that the agent gets")] = "",
    trunk: Annotated[str, typer.Option(help="name of a trunk; default: the first")] = "",
    ring_s: Annotated[int, typer.Option(min=5, max=80, help="how long it may ring")] = 30,
    opening: Annotated[str, typer.Option(help="first words, in place of the greeting")] = "",
    purpose: Annotated[str, typer.Option(help="why we call; call screening is told")] = "",
    message: Annotated[str, typer.Option(help="left after the beep of a voicemail")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="until the call has ended")] = False,
    as_json: AsJson = False,
) -> None:
    """Have an agent call a number, and say what came of it.

    `outbound` in sip/lines.yaml says through whom, whom and when. What is refused is refused
    before anything is dialled. The number of a softphone (`phones`) needs no permission.

    Exit code: 0 answered, 10 busy, 11 no answer, 12 declined, 13 no such number, 14 voicemail,
    15 call screening that let nobody through, 20 refused by our rules, 1 carrier error or no agent,
    2 the arguments or settings are unfit. A list of numbers: scripts/call_queue.py.

    \b
    Examples:
      scripts/make_call.py +15105550123
      scripts/make_call.py +15105550123 --agent sales --metadata '{"order": 17}' --wait --json
      scripts/make_call.py +15105550123 --purpose 'your order' --message 'Your order is ready.'
    """

    async def act(office: Office) -> Answer:
        wish = Wish(number, agent, metadata(meta), trunk, ring_s, opening, purpose, message)
        known = dialling.to_phone(office.settings, number) or attempt.rules_of(office)
        if trunk and rules.trunk_for(known, trunk) is None:
            raise UsageError(f"no trunk is named {trunk}", hint="see `outbound` in sip/lines.yaml")
        with closing(Ledger(file_of(office.settings.state_dir))) as ledger:
            reserved = ledger.reserve(
                number,
                lambda facts: rules.judge(number, known, facts, datetime.now()),
            )
            if isinstance(reserved, rules.Refusal):
                return _refused(number, reserved)
            result = "failed"
            try:
                order = attempt.order(office, wish, known)
                outcome = await attempt.call(office, order, _tell, wait=wait)
                result = outcome.result
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


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

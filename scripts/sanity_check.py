"""Find out what is wrong: walk the call leg by leg and name the cause.

Exit code: 0 healthy, 1 a fault was found, 2 no fault found but something could not be looked at.
docs/findings.md explains every code.

\b
Examples:
  .venv/bin/python scripts/sanity_check.py              # all, with a call of its own
  .venv/bin/python scripts/sanity_check.py --quick      # no call, five seconds
  .venv/bin/python scripts/sanity_check.py --last-call  # the last call, from the logs
  .venv/bin/python scripts/sanity_check.py --quick --json | jq .findings
  .venv/bin/python scripts/sanity_check.py --explain-call +15550100 --source 192.0.2.7
  .venv/bin/python scripts/sanity_check.py --from-outside 192.0.2.10   # on another machine
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from voicestack.diagnosis import doctor, outside
from voicestack.errors import VoicestackError

ROOT = Path(__file__).resolve().parent.parent
app = typer.Typer(add_completion=False, rich_markup_mode=None)
Opt = typer.Option


@app.command(help=__doc__)
def main(  # noqa: PLR0917 - typer reads them by name
    quick: Annotated[bool, Opt("--quick", help="no call, at most 5 s")] = False,
    as_json: Annotated[bool, Opt("--json", help="print one JSON object")] = False,
    last_call: Annotated[bool, Opt("--last-call", help="judge the last call of the logs")] = False,
    call: Annotated[str, Opt(help="judge this one: its id, Call-ID or room")] = "",
    watch: Annotated[bool, Opt("--watch", help="show calls in progress until Ctrl-C")] = False,
    explain_call: Annotated[str, Opt(help="number: would it be let in?")] = "",
    caller: Annotated[str, Opt("--from", help="number of that caller")] = "",
    source: Annotated[str, Opt(help="address that call comes from")] = "127.0.0.1",
    from_outside: Annotated[str, Opt(help="HOST, HOST:HTTPS_PORT or https://NAME")] = "",
    token_file: Annotated[Path | None, Opt(help="from outside: join with this token")] = None,
    ca: Annotated[Path | None, Opt(help="from outside: trust this authority")] = None,
    number: Annotated[str, Opt(help="number to dial from outside")] = "+15550100",
    support_bundle: Annotated[Path | None, Opt(help="archive to write, without secrets")] = None,
) -> None:
    """Look, judge, print."""
    try:
        if explain_call:
            sys.exit(doctor.explain_call(ROOT, explain_call, caller, source, as_json=as_json))
        past = call or ("" if last_call else None)
        target = outside.target_of(from_outside, number, token_file, ca) if from_outside else None
        order = doctor.Order(quick, as_json, past, support_bundle, target, watch)
        sys.exit(doctor.diagnose(ROOT, order))
    except VoicestackError as error:
        print(error.report(), file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    app()

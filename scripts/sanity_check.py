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
  .venv/bin/python scripts/sanity_check.py --support-bundle /tmp/bundle.tar.gz
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from voicestack.diagnosis import doctor
from voicestack.errors import VoicestackError

ROOT = Path(__file__).resolve().parent.parent
app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def main(  # noqa: PLR0917 - typer reads them by name
    quick: Annotated[bool, typer.Option("--quick", help="no call, at most 5 s")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    last_call: Annotated[bool, typer.Option("--last-call", help="of the logs")] = False,
    call: Annotated[str, typer.Option(help="a call of the logs: its id, Call-ID or room")] = "",
    explain_call: Annotated[str, typer.Option(help="number: would it be let in?")] = "",
    caller: Annotated[str, typer.Option("--from", help="number of that caller")] = "",
    source: Annotated[str, typer.Option(help="address that call comes from")] = "127.0.0.1",
    support_bundle: Annotated[Path | None, typer.Option(help="archive to write")] = None,
) -> None:
    """Look, judge, print."""
    try:
        if explain_call:
            sys.exit(doctor.explain_call(ROOT, explain_call, caller, source, as_json=as_json))
        past = call or ("" if last_call else None)
        sys.exit(doctor.diagnose(ROOT, doctor.Order(quick, as_json, past, support_bundle)))
    except VoicestackError as error:
        print(error.report(), file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    app()

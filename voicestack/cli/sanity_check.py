"""`voicestack sanity-check`: what is wrong, and on which leg of a call."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from voicestack.cli.frame import ROOT
from voicestack.diagnosis import doctor, outside
from voicestack.errors import VoicestackError

Opt = typer.Option


def sanity_check(
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
    count_packets: Annotated[float, Opt(min=0, max=600, help="seconds, at the card; root")] = 0.0,
    merge: Annotated[tuple[Path, Path] | None, Opt(help="two reports: inside, outside")] = None,
    support_bundle: Annotated[Path | None, Opt(help="archive to write, without secrets")] = None,
) -> None:
    """Find out what is wrong: walk the call leg by leg and name the cause.

    Exit code: 0 healthy, 1 a fault was found, 2 no fault found but something could not be seen.
    docs/findings.md explains every code.

    \b
    Examples:
      scripts/sanity_check.py              # all, with a call of its own
      scripts/sanity_check.py --quick      # no call, five seconds
      scripts/sanity_check.py --last-call  # the last call, from the logs
      scripts/sanity_check.py --quick --json | jq .findings
      scripts/sanity_check.py --explain-call +15550100 --source 192.0.2.7
      scripts/sanity_check.py --from-outside https://voice.example.org   # on another machine
      scripts/sanity_check.py --merge inside.json outside.json
    """
    try:
        if merge is not None:
            sys.exit(doctor.merged(*merge, as_json=as_json))
        if explain_call:
            sys.exit(doctor.explain_call(ROOT, explain_call, caller, source, as_json=as_json))
        past = call or ("" if last_call else None)
        target = outside.target_of(from_outside, number, token_file, ca) if from_outside else None
        order = doctor.Order(
            quick, as_json, past, support_bundle, target, watch=watch, count_s=count_packets
        )
        sys.exit(doctor.diagnose(ROOT, order))
    except VoicestackError as error:
        print(error.report(), file=sys.stderr)
        sys.exit(2)

"""`voicestack add-carrier`: a number of a carrier becomes a line."""

import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from voicestack import credentials, settings
from voicestack.carriers import wizard
from voicestack.carriers.catalog import CARRIERS, Carrier
from voicestack.cli.frame import Answer, AsJson, UsageError, finish, root
from voicestack.firewall.forms import FORMS
from voicestack.firewall.rules import rules
from voicestack.lines import outbound
from voicestack.lines.desk import Desk
from voicestack.outbound.rules import Transport

TRANSPORTS = ("udp", "tcp", "tls")


def add_carrier(
    carrier: Annotated[str, typer.Argument(help=f"{' | '.join(CARRIERS)}")],
    number: Annotated[str, typer.Option(help="your number there, E.164")] = "",
    agent: Annotated[str, typer.Option(help="who answers; default: AGENT_NAME")] = "",
    network: Annotated[
        list[str] | None,
        typer.Option(help="a network that calls or sound come from, again for more"),
    ] = None,
    address: Annotated[str, typer.Option(help="where calls go out; without: inbound only")] = "",
    transport: Annotated[str, typer.Option(help=f"{' | '.join(TRANSPORTS)}")] = "",
    user: Annotated[str, typer.Option(help="user for calls out")] = "",
    password_file: Annotated[Path | None, typer.Option(help="its password, on one line")] = None,
    allow: Annotated[
        list[str] | None, typer.Option(help="prefix that agents may call, again for more")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="show the change, write nothing")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what to click at a carrier, and write its number, networks and way out to sip/lines.yaml.

    What is missing is asked for on a terminal. The file is checked before it is written, its
    comments stay, and the old one is kept beside it. `control` applies it within seconds.

    \b
    Examples:
      scripts/add_carrier.py twilio --number +15105550100
      scripts/add_carrier.py telnyx --number +15105550100 --address sip.telnyx.com --user desk \\
          --password-file password --allow +1510 --dry-run
      scripts/add_carrier.py generic --number +15105550100 --network 203.0.113.0/24
    """

    def once() -> Answer:
        held = settings.load(root())
        chosen = CARRIERS.get(carrier)
        if chosen is None:
            known = ", ".join(CARRIERS)
            raise UsageError(f"{carrier} is no carrier that is known here", hint=f"one of {known}")
        if transport and transport not in TRANSPORTS:
            raise UsageError(f"{transport} is no transport", hint=f"one of {', '.join(TRANSPORTS)}")
        wish = wizard.Wish(
            carrier=chosen,
            number=number or _asked("--number", "your number there, E.164"),
            agent=agent,
            networks=tuple(network or _networks(chosen)),
            address=address,
            transport=cast(Transport, transport) if transport else None,
            user=user,
            password=_password(password_file, user),
            allow=tuple(allow or ()),
        )
        return _done(wish, held, dry_run=dry_run)

    finish(once, as_json=as_json)


def _done(wish: wizard.Wish, held: settings.Settings, *, dry_run: bool) -> Answer:
    try:
        planned = wizard.plan(wish, held)
    except wizard.CarrierError as error:
        raise UsageError(str(error), hint=error.hint) from error
    steps, change = wizard.steps(wish, held), planned.change
    listed = [f"  {index}. {text}" for index, text in enumerate(steps, 1)]
    shown = change.diff() or "nothing to change"
    texts = [f"At {wish.carrier.title}:", *listed, "", shown]
    data: dict[str, Any] = {"carrier": wish.carrier.name, "steps": steps, "diff": change.diff()}
    if dry_run:
        planned.drop()
        return Answer(data | {"written": False, "kept": None}, "\n".join(texts))
    kept = change.write()
    desk = Desk.of_settings(held)
    openings = rules(desk.stack, desk.lines, desk.networks)
    texts += ["Firewall (scripts/show_ports.py):", FORMS["text"](openings)]
    texts += [f"\nThe old file is {kept}"] if kept else []
    data |= {"written": kept is not None, "kept": str(kept) if kept else None}
    return Answer(data, "\n".join(texts), 0, _attention(wish, held))


def _attention(wish: wizard.Wish, held: settings.Settings) -> tuple[str, ...]:
    known = outbound.parse(held.lines_file, secrets=credentials.directory_of(held))
    if not wish.address or known.allow:
        return ()
    return ("agents may call nobody yet: --allow +1510, or `outbound.allow` in the file",)


def _asked(option: str, what: str, *, hidden: bool = False) -> str:
    """Ask on a terminal; a program that left it out is told its option."""
    if not sys.stdin.isatty():
        raise UsageError(f"{option} is missing: {what}", hint="--help has examples")
    return str(typer.prompt(what, hide_input=hidden, err=True)).strip()


def _networks(chosen: Carrier) -> list[str]:
    if chosen.signalling or not sys.stdin.isatty():
        return []
    asked = f"its networks ({chosen.source}), separated by spaces"
    return _asked("--network", asked).split()


def _password(file: Path | None, user: str) -> str:
    if file is not None:
        try:
            return file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} cannot be read", hint="one line of ASCII text") from error
    if not user:
        return ""
    return _asked("--password-file", f"password of {user}", hidden=True)

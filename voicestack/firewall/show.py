"""What `scripts/show_ports.py` does: print the rules in a form, or check what listens."""

import json
import sys
from dataclasses import asdict
from ipaddress import IPv4Network
from pathlib import Path

from voicestack.errors import VoicestackError
from voicestack.firewall import listening
from voicestack.firewall.forms import FORMS
from voicestack.firewall.rules import rules
from voicestack.lines.desk import Desk

EXIT_DIFFERS, EXIT_UNFIT = 1, 2
HINTS = {
    "missing": "is the stack up? `make status`",
    "exposed": "close it: another program has the port, or a configuration was changed by hand",
    "unknown": "a configuration was changed by hand, or voicestack/ports.py lacks a row",
}


def run(root: Path, *, form: str, browsers: list[str], check: bool) -> int:
    """Exit 0, 1 when --check finds a difference, 2 when settings, lines or options are unfit."""
    try:
        if form not in FORMS:
            raise VoicestackError(
                f"--format {form} is not known", hint=f"one of {', '.join(FORMS)}"
            )
        desk = Desk.of(root)
        if check:
            return _check(desk, as_json=form == "json")
        made = rules(desk.stack, desk.lines, desk.networks, _networks(browsers))
    except VoicestackError as error:
        print(error.report(), file=sys.stderr)
        return EXIT_UNFIT
    print(FORMS[form](made))
    return 0


def _check(desk: Desk, *, as_json: bool) -> int:
    findings = listening.judge(desk.stack, listening.look())
    if as_json:
        print(json.dumps({"ok": findings.ok, **asdict(findings)}))
    for kind, hint in HINTS.items():
        for line in () if as_json else getattr(findings, kind):
            print(f"error: {line}\nhint: {hint}", file=sys.stderr)
    if findings.ok and not as_json:
        print("what listens is what the table says")
    return 0 if findings.ok else EXIT_DIFFERS


def _networks(texts: list[str]) -> tuple[IPv4Network, ...] | None:
    try:
        return tuple(IPv4Network(text) for text in texts) or None
    except ValueError as error:
        raise VoicestackError(
            f"--browsers: {error}", hint="a network such as 203.0.113.0/24; 0.0.0.0/0 is everybody"
        ) from error

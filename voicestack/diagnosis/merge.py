"""Two reports, one from the stack's machine and one from another: where is it closed?"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voicestack.diagnosis import causes, packets
from voicestack.diagnosis.model import Check, Context, Finding, Result, Unknown
from voicestack.diagnosis.report import Report
from voicestack.errors import VoicestackError

# What could not be reached from outside, by the port that it is about.
PORT_OF = {
    "OUT001": "sip",
    "OUT002": "https",
    "OUT003": "livekit_udp",
    "OUT004": "livekit_tcp",
    "OUT005": "turn_udp",
    "OUT006": "https",
}


class MergeError(VoicestackError):
    """The two files are no two reports."""


def read(path: Path) -> dict[str, Any]:
    """A report as `--json` printed it."""
    try:
        report = json.loads(path.read_text("utf-8"))
        if not {"findings", "checks", "notes"} <= report.keys():
            raise ValueError("no report")
    except (OSError, ValueError, AttributeError) as error:
        hint = "print it with --json, into a file"
        raise MergeError(f"{path} is no report ({error})", hint=hint) from error
    return dict(report)


def merge(one: Mapping[str, Any], other: Mapping[str, Any]) -> Report:
    """In whatever order they come."""
    inside, outside = (other, one) if one["notes"].get("outside") else (one, other)
    if inside["notes"].get("outside") or not outside["notes"].get("outside"):
        raise MergeError(
            "one report must be of the stack's machine and one of another",
            hint="--json on the first, --from-outside HOST --json on the second",
        )
    verdict = judge(inside, outside)
    findings = tuple(each for each in verdict if isinstance(each, Finding))
    unknowns = tuple(each for each in verdict if isinstance(each, Unknown))
    state = "fault" if findings else "unknown" if unknowns else "ok"
    check = Check("merge", "from outside", "both reports", _nothing, lambda _: verdict)
    took_s = inside["took_s"] + outside["took_s"]
    return Report((Result(check, state, findings, unknowns),), took_s)  # type: ignore[arg-type]


async def _nothing(_: Context) -> None:
    """Nothing is looked at: both sides have done so."""


def judge(inside: Mapping[str, Any], outside: Mapping[str, Any]) -> list[Finding | Unknown]:
    """What is broken inside explains what is seen outside; then addresses; then packets."""
    here, there = _findings(inside), _findings(outside)
    known = {each.code for each in here}
    closed = [each for each in there if each.code in PORT_OF]
    others = [each for each in there if each.code not in PORT_OF and each.code not in known]
    if here:
        return [*here, *others]
    called, named = outside["notes"].get("addresses") or [], inside["notes"].get("address")
    if closed and called and named not in called:
        seen = f"{outside['notes'].get('host')} is {', '.join(called)}, NODE_IP is {named}"
        return [Finding("FWL004", seen), *others]
    counts = inside["notes"].get("packets")
    return [*(_of_port(each, counts) for each in closed), *others]


def _of_port(closed: Finding, counts: Mapping[str, Mapping[str, int]] | None) -> Finding | Unknown:
    key = PORT_OF[closed.code]
    if counts is None or key not in counts:
        why = f"{closed.seen}: by which firewall cannot be told without the card's packets"
        return Unknown(why, packets.SUDO)
    arrived, answered = counts[key]["arrived"], counts[key]["answered"]
    seen = f"{key}: {arrived} packets arrived, {answered} left"
    if not arrived:
        return Finding("FWL002", seen, key)
    return Finding("FWL003" if answered else "FWL001", seen, key)


def _findings(report: Mapping[str, Any]) -> list[Finding]:
    """Those whose codes we know: a report of another version may have others."""
    return [
        Finding(each["code"], each["seen"], each["subject"])
        for each in report["findings"]
        if each.get("code") in causes.BY_CODE
    ]

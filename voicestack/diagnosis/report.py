"""What a diagnosis prints: text for people, JSON for programs, an exit code for both."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from voicestack.diagnosis import causes
from voicestack.diagnosis.model import Finding, Result, State, Unknown
from voicestack.diagnosis.redact import redact

HEALTHY, FAULT, COULD_NOT_LOOK = 0, 1, 2
WIDTH = 80
SIGNS: dict[State, tuple[str, str]] = {
    "ok": ("ok", "green"),
    "fault": ("FAULT", "bold red"),
    "unknown": ("unknown", "yellow"),
    "skipped": ("skipped", "dim"),
}


@dataclass(frozen=True, slots=True)
class Report:
    """All results, and what must not be shown."""

    results: tuple[Result, ...]
    took_s: float
    secrets: tuple[str, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)  # what a merge needs besides

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every cause that was named, in call order."""
        return tuple(finding for result in self.results for finding in result.findings)

    @property
    def exit_code(self) -> int:
        """A fault outranks what could not be seen."""
        if self.findings:
            return FAULT
        unseen = any(result.state == "unknown" for result in self.results)
        return COULD_NOT_LOOK if unseen else HEALTHY

    def hide(self, text: str) -> str:
        """Without secrets, tokens, numbers."""
        return redact(text, self.secrets)

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs."""
        return {
            "healthy": self.exit_code == HEALTHY,
            "exit_code": self.exit_code,
            "took_s": round(self.took_s, 2),
            "findings": [self._finding(each) for each in self.findings],
            "checks": [self._result(each) for each in self.results],
            "notes": dict(self.notes),
        }

    def _finding(self, finding: Finding) -> dict[str, str]:
        cause = causes.BY_CODE[finding.code]
        return {
            "code": finding.code,
            "subject": self.hide(finding.subject),
            "leg": cause.leg,
            "title": cause.title,
            "seen": self.hide(finding.seen),
            "means": cause.means,
            "do": self.hide(finding.do or cause.do),
        }

    def _result(self, result: Result) -> dict[str, Any]:
        return {
            "check": result.check.name,
            "leg": result.check.leg,
            "state": result.state,
            "took_s": round(result.took_s, 2),
            "unknown": [self._unknown(each) for each in result.unknowns],
        }

    def _unknown(self, unknown: Unknown) -> dict[str, str]:
        return {"why": self.hide(unknown.why), "decide": self.hide(unknown.decide)}


def console(*, stderr: bool = False) -> Console:
    """Eighty columns, colours on a terminal only."""
    found = Console(stderr=stderr, highlight=False, soft_wrap=False)
    return Console(stderr=stderr, highlight=False, width=min(WIDTH, found.width))


def progress_line(result: Result) -> Text:
    """One line for each check as it ends."""
    word, style = SIGNS[result.state]
    took = f"{result.took_s:4.1f} s" if result.state != "skipped" else ""
    return Text.assemble((f"{word:>8}", style), f"  {result.check.title:<30}", (took, "dim"))


def show(report: Report, out: Console) -> None:
    """Causes first in full, then what stayed unknown, then the verdict."""
    for finding in report.findings:
        _show_finding(report, finding, out)
    for unknown, titles in _unseen(report).items():
        out.print()
        out.print(Text(f"unknown: {', '.join(titles)}", "yellow"))
        _paragraph(out, "why", report.hide(unknown.why))
        if unknown.decide:
            _paragraph(out, "to decide", report.hide(unknown.decide))
    out.print()
    out.print(_verdict(report))


def _unseen(report: Report) -> dict[Unknown, list[str]]:
    """What could not be told, each reason once, with the checks that it stopped."""
    found: dict[Unknown, list[str]] = {}
    for result in report.results:
        for unknown in result.unknowns:
            found.setdefault(unknown, []).append(result.check.title)
    return found


def _show_finding(report: Report, finding: Finding, out: Console) -> None:
    cause = causes.BY_CODE[finding.code]
    subject = f" ({report.hide(finding.subject)})" if finding.subject else ""
    out.print()
    out.print(Text.assemble((finding.code, "bold red"), f"  {cause.title}{subject}"))
    _paragraph(out, "leg", cause.leg)
    _paragraph(out, "seen", report.hide(finding.seen))
    _paragraph(out, "means", cause.means)
    _paragraph(out, "do", report.hide(finding.do or cause.do))


def _paragraph(out: Console, name: str, text: str) -> None:
    lines = Text(f"{name}: ", "bold")
    lines.append(text, "not bold")
    out.print(Padding(lines, (0, 0, 0, 2), expand=False))


def _verdict(report: Report) -> Text:
    count = len(report.findings)
    if count:
        skipped = sum(result.state == "skipped" for result in report.results)
        rest = f"; {skipped} checks skipped, they depend on it" if skipped else ""
        return Text(
            f"{count} cause{'s' * (count > 1)} found in {report.took_s:.1f} s{rest}", "bold"
        )
    if report.exit_code == COULD_NOT_LOOK:
        return Text(f"no fault found in {report.took_s:.1f} s, but not everything was seen", "bold")
    return Text(f"healthy, {report.took_s:.1f} s", "bold green")

"""The words of a diagnosis: checks look, judges find, what could not be seen stays unknown."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from voicestack.credentials import Credentials
from voicestack.lines.model import Line
from voicestack.native.up import Stack
from voicestack.ports import Ports
from voicestack.settings import Settings

State = Literal["ok", "fault", "unknown", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause. `code` has its heading in docs/findings.md; `subject` says of what."""

    code: str
    seen: str
    subject: str = ""
    do: str = ""  # more exact than what the table of causes says
    holds_up: tuple[str, ...] = ()  # other subjects, which wait for this one
    explains: tuple[str, ...] = ()  # keys of findings that say less of the same

    @property
    def key(self) -> str:
        """Code and subject: what tests and scripts compare."""
        return f"{self.code} {self.subject}".strip()


@dataclass(frozen=True, slots=True)
class Unknown:
    """What could not be told from here, and what would decide it."""

    why: str
    decide: str = ""


class CannotTellError(Exception):
    """A look that learned nothing; the check ends as unknown."""

    def __init__(self, why: str, decide: str = "") -> None:
        super().__init__(why)
        self.unknown = Unknown(why, decide)


Verdict = Sequence[Finding | Unknown]


@dataclass(slots=True)
class Context:
    """The stack that is looked at, and what earlier looks have learned of it."""

    root: Path  # of the checkout
    load: Callable[[], Settings]
    clock: Callable[[], float]
    stack: Stack | None = None
    held: Credentials | None = None
    lines: tuple[Line, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def whole(self) -> Stack:
        """The stack; every check but the first needs its settings."""
        if self.stack is None:
            raise CannotTellError("the settings could not be read")
        return self.stack

    @property
    def contained(self) -> bool:
        """True if the stack runs in containers, and its state was fetched from there."""
        return "borrowed" in self.facts

    @property
    def settings(self) -> Settings:
        """Settings of the stack."""
        return self.whole.settings

    @property
    def ports(self) -> Ports:
        """Its ports."""
        return self.whole.ports

    @property
    def secrets(self) -> Credentials:
        """Its secrets."""
        if self.held is None:
            raise CannotTellError("the secrets could not be read")
        return self.held

    def log_file(self, service: str) -> Path:
        """Where a service writes."""
        return self.whole.paths.logs / f"{service}.log"


@dataclass(frozen=True, slots=True)
class Check:
    """One look and its judgement.

    `needs` names checks (`redis`) or one subject of a check (`processes:redis`): where those
    found a fault this one is skipped, because what it would see follows from that.
    """

    name: str
    leg: str
    title: str
    look: Callable[[Context], Awaitable[Any]]
    judge: Callable[[Any], Verdict]
    needs: tuple[str, ...] = ()
    limit_s: float = 2.5
    vital: bool = False  # if it cannot tell, nothing that needs it can


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one check."""

    check: Check
    state: State
    findings: tuple[Finding, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    took_s: float = 0.0

    def blames(self, subject: str) -> bool:
        """True if what builds on `subject` (on everything, if empty) need not be looked at."""
        if self.state == "skipped" or (self.check.vital and self.state == "unknown"):
            return True
        return any(
            not subject or each.subject in {"", subject} or subject in each.holds_up
            for each in self.findings
        )

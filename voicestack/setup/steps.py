"""Steps of the set-up: each looks whether it is needed, then does it; running all again is free."""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Literal, Protocol

from voicestack.setup.errors import SetupError
from voicestack.setup.progress import Reporter


class Step(Protocol):
    """One thing that a machine must have."""

    @property
    def name(self) -> str:
        """Short name, for `--only`."""

    def missing(self) -> str | None:
        """Say what is missing, or None; quick and without traffic."""

    def run(self, reporter: Reporter) -> None:
        """Put it there; leaves nothing half-made under its final name."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one step."""

    step: str
    state: Literal["ready", "done", "missing", "failed"]
    took_s: float
    detail: str = ""

    def as_json(self) -> dict[str, object]:
        """Fields for `--json`."""
        return asdict(self) | {"took_s": round(self.took_s, 2)}


def run_all(
    steps: Iterable[Step], reporter: Reporter, clock: Callable[[], float] = time.monotonic
) -> list[Outcome]:
    """Run what is missing, in order; stop at a step that fails, since later ones build on it."""
    outcomes = []
    for step in steps:
        started_s = clock()
        reason = step.missing()
        if reason is None:
            outcomes.append(Outcome(step.name, "ready", clock() - started_s))
            continue
        reporter.say(f"{step.name}: {reason}")
        try:
            step.run(reporter)
        except SetupError as error:
            outcomes.append(Outcome(step.name, "failed", clock() - started_s, error.report()))
            reporter.say(error.report())
            break
        outcomes.append(Outcome(step.name, "done", clock() - started_s, reason))
        reporter.say(f"{step.name}: ready in {outcomes[-1].took_s:.1f} s")
    return outcomes


def check_all(steps: Iterable[Step], clock: Callable[[], float] = time.monotonic) -> list[Outcome]:
    """Tell for each step whether something is missing; changes nothing."""
    outcomes = []
    for step in steps:
        started_s = clock()
        reason = step.missing()
        state: Literal["ready", "missing"] = "ready" if reason is None else "missing"
        outcomes.append(Outcome(step.name, state, clock() - started_s, reason or ""))
    return outcomes

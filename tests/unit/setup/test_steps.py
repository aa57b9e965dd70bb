"""Steps run in order, only when needed, and stop at the first failure."""

from dataclasses import dataclass, field

from voicestack.setup.errors import SetupError
from voicestack.setup.progress import Plain, Reporter
from voicestack.setup.steps import check_all, run_all


@dataclass
class FakeStep:
    name: str
    reason: str | None = "is not there"
    error: SetupError | None = None
    runs: list[str] = field(default_factory=list)

    def missing(self) -> str | None:
        return self.reason

    def run(self, reporter: Reporter) -> None:
        self.runs.append(self.name)
        if self.error:
            raise self.error
        self.reason = None


def test_only_what_is_missing_runs(talk: Plain, said: list[str]) -> None:
    """A second run does nothing and says nothing."""
    steps = [FakeStep("there", reason=None), FakeStep("absent")]
    assert [each.state for each in run_all(steps, talk)] == ["ready", "done"]
    assert said[0] == "absent: is not there"
    said.clear()
    assert [each.state for each in run_all(steps, talk)] == ["ready", "ready"]
    assert said == []
    assert steps[0].runs == []


def test_failure_stops_and_tells(talk: Plain, said: list[str]) -> None:
    """Later steps build on earlier ones; the error comes with its hint."""
    error = SetupError("the disk is gone", hint="plug it in")
    steps = [FakeStep("one", error=error), FakeStep("two")]
    (outcome,) = run_all(steps, talk)
    assert outcome.state == "failed"
    assert said[-1] == "error: the disk is gone\nhint: plug it in"
    assert steps[1].runs == []


def test_check_changes_nothing() -> None:
    """--check looks at every step, also after one that is missing."""
    steps = [FakeStep("one"), FakeStep("two", reason=None), FakeStep("three")]
    assert [each.state for each in check_all(steps)] == ["missing", "ready", "missing"]
    assert not any(step.runs for step in steps)
    assert check_all(steps)[0].as_json()["detail"] == "is not there"

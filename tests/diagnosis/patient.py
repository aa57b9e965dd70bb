"""A stack to be made ill: what it runs on, and a doctor that is asked about it."""

import contextlib
import os
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.calls import world
from tests.diagnosis.models import Models
from voicestack import credentials, settings
from voicestack.diagnosis import checks, doctor
from voicestack.diagnosis.model import Check, Context
from voicestack.diagnosis.report import Report
from voicestack.native.supervisor import Supervisor
from voicestack.native.up import Stack


def only(*names: str) -> tuple[Check, ...]:
    """Some checks by their names, after settings and secrets; what else they need is not asked."""
    first = {"settings", "secrets"}
    found = [each for each in checks.ALL if each.name in first | set(names)]
    return tuple(
        each
        if each.name in first
        else replace(
            each, needs=("secrets", *(n for n in each.needs if n.partition(":")[0] in names))
        )
        for each in found
    )


MOST_LOOKS = 3
# Writing a sentence down takes half a second of all cores; where ears do not matter it is left out.
WITHOUT_EARS = tuple(check for check in checks.QUICK if check.name != "hearing")


async def looked(
    examine: Callable[[], Awaitable[tuple[Report, Context]]],
) -> tuple[Report, Context]:
    """Where a look took too long on a busy machine, it says itself: "run it once more"."""
    for _ in range(MOST_LOOKS):
        report, context = await examine()
        unknowns = [each.why for result in report.results for each in result.unknowns]
        if not any("took longer" in why for why in unknowns):
            break
    return report, context


@dataclass
class Patient:
    """One running stack."""

    stack: Stack
    models: Models
    folder: Path
    environment: dict[str, str]
    shift_s: float = 0.0  # of the doctor's clock
    changed: dict[str, str] = field(default_factory=dict)  # settings since the start

    async def report(self, which: Sequence[Check] = checks.QUICK) -> Report:
        """What the doctor says."""
        return (await self.examined(which))[0]

    async def examined(self, which: Sequence[Check]) -> tuple[Report, Context]:
        """With what was seen on the way."""
        environment = self.environment | self.changed
        return await looked(
            lambda: doctor.examine(
                world.ROOT,
                which,
                load=lambda: settings.load(self.folder, environ=environment),
                clock=lambda: time.time() + self.shift_s,
            )
        )

    async def codes(self, which: Sequence[Check] = checks.QUICK) -> list[str]:
        """The causes that the doctor names; what it could not see is shown with the failure."""
        report = await self.report(which)
        unseen = [
            f"{result.check.name}: {unknown.why}"
            for result in report.results
            for unknown in result.unknowns
        ]
        assert unseen == []
        return [finding.key for finding in report.findings]

    def redis(self, *command: str) -> str:
        """Run a command of Redis with its password."""
        held = credentials.read(self.stack.settings)
        return subprocess.run(
            ["redis-cli", "-p", str(self.stack.ports["redis"]), *command],
            env={"REDISCLI_AUTH": held.redis_password, "PATH": "/usr/bin:/bin"},
            check=True,
            capture_output=True,
            text=True,
            timeout=10,
        ).stdout

    def pid(self, service: str) -> int:
        """The process of a service, or of what starts them all."""
        if service == "supervisor":
            return int((self.stack.paths.run / "supervisor.pid").read_text())
        with Supervisor(self.stack.paths) as supervisor:
            return next(state.pid for state in supervisor.states() if state.name == service)

    def up(self) -> None:
        """Wait until all is well again."""
        with Supervisor(self.stack.paths) as supervisor:
            self.stack.await_ready(supervisor, lambda _: None)


@contextlib.contextmanager
def admitted(folder: Path, models: Models, **more: str) -> Iterator[Patient]:
    """A healthy stack whose mind and voice are the test's."""
    environment = world.environment(
        folder, LLM_URL=models.url, TTS_URL=models.url, MAX_CALLS="1", **more
    )
    stack = Stack(settings.load(folder, environ=environment), world.ROOT)
    try:
        stack.up(lambda _: None)
        yield Patient(stack, models, folder, environment)
    finally:
        stack.down(now=True)


def is_root() -> bool:
    """Some faults only root can make."""
    return os.geteuid() == 0

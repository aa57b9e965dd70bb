"""Upgrade of a stack that runs without containers.

What runs is the checkout itself: it can change only when nothing runs, so callers hear nothing from
the end of the last call until the new version is up.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from voicestack.errors import VoicestackError
from voicestack.host import child
from voicestack.upgrade import quiet
from voicestack.upgrade.flow import Move, Tell

PYTHON = ".venv/bin/python"
TIMEOUT_S, CALL_S, UP_S, SET_UP_S = 60.0, 120.0, 180.0, 3600.0
LONGEST_DRAIN_S = 3700.0
# Compiled servers of the old and of the new version.
FREE_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Native:
    """The stack of a checkout."""

    checkout: Path
    tell: Tell

    def check(self) -> None:
        """Every service is ready, and there is room."""
        self._script("status.py", timeout_s=TIMEOUT_S)
        status = os.statvfs(self.checkout)
        free = status.f_bavail * status.f_frsize
        if free < FREE_BYTES:
            raise VoicestackError(
                f"{free / 1e9:.1f} GB are free, {FREE_BYTES / 1e9:.0f} are wanted",
                hint="remove what is not needed below VOICESTACK_CACHE",
            )

    def backup(self, target: Path) -> None:
        """The project's own script."""
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._script("backup.py", str(target), timeout_s=SET_UP_S)

    def keep(self) -> dict[str, str]:
        """Nothing: compiled servers of several versions lie beside each other in the cache."""
        return {}

    def replace(self, move: Move, drain_s: int) -> None:
        """Calls end; then the new version is set up and started."""
        quiet.wait(lambda: quiet.calls(self._rooms()), drain_s, self.tell)
        self._script("down.py", timeout_s=LONGEST_DRAIN_S)
        self._go(move)

    def back(self, move: Move, kept: dict[str, str]) -> None:
        """The old version is set up and started again."""
        self._script("down.py", "--now", timeout_s=CALL_S)
        self._go(move)

    def accept(self) -> None:
        """The project's own telephone."""
        self._script("test_call.py", "--reachable", "--no-transcribe", "--json", timeout_s=CALL_S)

    def _go(self, move: Move) -> None:
        move()
        self._run("scripts/bootstrap.sh", timeout_s=SET_UP_S)
        self._script("setup.py", timeout_s=SET_UP_S)
        self._script("up.py", timeout_s=UP_S)

    def _rooms(self) -> bytes:
        name, *rest = quiet.LIST
        return self._script(f"{name}.py", *rest, timeout_s=TIMEOUT_S)

    def _script(self, name: str, *arguments: str, timeout_s: float) -> bytes:
        return self._run(PYTHON, f"scripts/{name}", *arguments, timeout_s=timeout_s)

    def _run(self, *command: str, timeout_s: float) -> bytes:
        return child.run(
            command, cwd=self.checkout, timeout_s=timeout_s, hint="`make logs` shows more"
        )

"""Upgrade of a stack that runs in containers."""

from dataclasses import dataclass
from pathlib import Path

from voicestack.errors import VoicestackError
from voicestack.host.compose import TIMEOUT_S, Compose
from voicestack.upgrade import quiet
from voicestack.upgrade.flow import Move, Tell

BUILD_S, UP_S = 3600.0, 300.0
# DRAIN_S has no higher value; what Docker needs beside it.
LONGEST_DRAIN_S, MARGIN_S = 3600.0, 60.0
# The old images and the new ones lie beside each other.
FREE_BYTES = 3_000_000_000
KEPT_TAG = "before-upgrade"


@dataclass(frozen=True, slots=True)
class Containers:
    """One project of Docker Compose, as an upgrade sees it."""

    project: Compose
    tell: Tell

    def check(self) -> None:
        """All services run and are healthy, and there is room for more images."""
        ailing = self.project.ailing()
        if ailing or not self.project.containers():
            raise VoicestackError(
                f"the stack is not up: {', '.join(ailing) or 'no container runs'}",
                hint="docker compose up --detach --wait",
            )
        self.project.check_room(FREE_BYTES)

    def backup(self, target: Path) -> None:
        """Written on this machine, made where the volumes are."""
        self.project.backup(target)

    def keep(self) -> dict[str, str]:
        """A second name for each image: building takes the first one away from it."""
        kept = {}
        for name in self.project.compose("config", "--images").decode().split():
            kept[name] = f"{name.rpartition(':')[0]}:{KEPT_TAG}"
            self.project.docker("tag", name, kept[name])
        return kept

    def replace(self, move: Move, drain_s: int) -> None:
        """All that takes long is done while the old version answers; then calls end."""
        move()
        missing = ("--quiet", "--ignore-buildable", "--policy", "missing")
        self.project.compose("pull", *missing, timeout_s=BUILD_S)
        self.project.compose("build", "--quiet", timeout_s=BUILD_S)
        # The new version reads .env and the lines, and fetches its models.
        self.project.tools(
            "python", "-P", "-m", "voicestack.compose", "--prepare", timeout_s=BUILD_S
        )
        self._drain(drain_s)
        self._start()

    def back(self, move: Move, kept: dict[str, str]) -> None:
        """The old images under their names again."""
        move()
        for name, other in kept.items():
            self.project.docker("tag", other, name)
        self._start()

    def accept(self) -> None:
        """The project's own telephone, from within."""
        call = ("voicestack", "test-call", "--reachable", "--no-transcribe", "--json")
        self.project.tools(*call, timeout_s=TIMEOUT_S)

    def _drain(self, limit_s: int) -> None:
        """Calls go on until they end; the models and the media server stay for as long."""
        quiet.wait(
            lambda: quiet.calls(self.project.tools("voicestack", *quiet.LIST)), limit_s, self.tell
        )
        # Whoever calls from here on hears busy; who still talks has DRAIN_S (stop_grace_period).
        self.project.compose("stop", "sip", "agent", timeout_s=LONGEST_DRAIN_S + MARGIN_S)

    def _start(self) -> None:
        # Configuration lies in volumes, where Compose sees no change: every container is made anew.
        options = ("--detach", "--wait", "--no-build", "--force-recreate", "--remove-orphans")
        self.project.compose("up", *options, timeout_s=UP_S)

"""Where the native runtime keeps its files."""

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from voicestack.errors import VoicestackError
from voicestack.settings import Settings


@dataclass(frozen=True, slots=True)
class Paths:
    """Folders of one stack (state) and of all stacks of this user (cache)."""

    root: Path
    state: Path
    cache: Path

    @classmethod
    def of(cls, settings: Settings, root: Path) -> "Paths":
        """Derive the folders from the settings."""
        return cls(root=root, state=settings.state_dir, cache=settings.voicestack_cache)

    @property
    def secrets(self) -> Path:
        """Generated once, 0600."""
        return self.state / "secrets"

    @property
    def config(self) -> Path:
        """Rendered configuration, 0600: two of the servers want secrets in theirs."""
        return self.state / "config"

    @property
    def logs(self) -> Path:
        """One file per service."""
        return self.state / "logs"

    @property
    def run(self) -> Path:
        """Sockets and marks of what runs."""
        return self.state / "run"

    @property
    def releases(self) -> Path:
        """Copies of the agent's code, one for each version that was started."""
        return self.state / "releases"

    def slot(self, name: str) -> Path:
        """The release that a place of a worker runs."""
        return self.state / "slots" / name

    @property
    def short(self) -> Path:
        """Sockets and what children put into TMPDIR; removed when the stack stops.

        A socket's path may have 107 bytes (unix(7)), a checkout's may be longer.
        """
        digest = hashlib.sha256(str(self.state).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"voicestack-{os.getuid()}-{digest}"

    @property
    def socket(self) -> Path:
        """Where the supervisor listens."""
        return self.short / "supervisor.sock"

    @property
    def supervisor_file(self) -> Path:
        """What the supervisor runs."""
        return self.config / "process-compose.yaml"

    @property
    def python(self) -> Path:
        """Interpreter of the project's environment."""
        return self.root / ".venv" / "bin" / "python"

    def binary(self, name: str) -> str:
        """Path of a server that the set-up built."""
        return str(self.cache / "bin" / name)

    def make(self) -> None:
        """Create what is missing; readable by their owner alone."""
        redis, caddy = self.state / "redis", self.state / "caddy"
        for folder in (self.state, self.config, self.logs, self.run, redis, caddy, self.short):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.short.is_symlink() or self.short.stat().st_uid != os.getuid():
            raise VoicestackError(
                f"{self.short} belongs to somebody else: our sockets would be theirs",
                hint="find out who made it, remove it, or set TMPDIR to a folder of your own",
            )

    def remove_short(self) -> None:
        """Leave nothing behind outside the state folder."""
        shutil.rmtree(self.short, ignore_errors=True)

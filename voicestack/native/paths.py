"""Where the native runtime keeps its files."""

from dataclasses import dataclass
from pathlib import Path

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
    def socket(self) -> Path:
        """Where the supervisor listens."""
        return self.run / "supervisor.sock"

    @property
    def supervisor_file(self) -> Path:
        """What the supervisor runs."""
        return self.config / "process-compose.yaml"

    @property
    def models(self) -> Path:
        """Weights, checked by the set-up."""
        return self.cache / "models"

    @property
    def python(self) -> Path:
        """Interpreter of the project's environment."""
        return self.root / ".venv" / "bin" / "python"

    def binary(self, name: str) -> str:
        """Path of a server that the set-up built."""
        return str(self.cache / "bin" / name)

    def make(self) -> None:
        """Create what is missing; readable by their owner alone."""
        for folder in (self.state, self.config, self.logs, self.run, self.state / "redis"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

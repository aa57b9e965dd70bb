"""Redis without a system service: Debian's redis-tools carries the whole server.

`redis-check-rdb` is the server binary: it acts by the name it is called by (redis 7.0.15,
src/server.c, main: `strstr(exec_name,"redis-check-rdb")`). Debian's package redis-server is a link
to it plus a service that takes port 6379, which this project neither needs nor wants to share.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from voicestack.setup.errors import ToolMissingError
from voicestack.setup.files import link_atomic
from voicestack.setup.progress import Reporter

CANDIDATES = ("redis-server", "redis-check-rdb")


@dataclass(frozen=True, slots=True)
class RedisStep:
    """Links `redis-server` in the cache to the binary of the distribution."""

    cache: Path
    path: str | None = None  # as PATH
    name: str = "redis-server"

    @property
    def link(self) -> Path:
        """Say where the stack finds Redis."""
        return self.cache / "bin" / "redis-server"

    def missing(self) -> str | None:
        """Say that the link is absent or leads nowhere: the package may have been removed."""
        return None if self.link.exists() else "is not linked yet"

    def run(self, reporter: Reporter) -> None:
        """Link the first binary that answers as a Redis server."""
        self.link.parent.mkdir(parents=True, exist_ok=True)
        for name in CANDIDATES:
            found = shutil.which(name, path=self.path)
            if found is None or Path(found).absolute() == self.link.absolute():
                continue
            link_atomic(self.link, Path(found).absolute())
            answer = subprocess.run(
                [self.link, "--version"], capture_output=True, text=True, check=False, timeout=10
            )
            if answer.returncode == 0 and answer.stdout.startswith("Redis server"):
                reporter.say(f"  {answer.stdout.split(' sha=')[0]} from {found}")
                return
            self.link.unlink()
        raise ToolMissingError(
            f"none of {', '.join(CANDIDATES)} on this machine runs as a Redis server",
            hint="apt-get install redis-tools   (its redis-check-rdb is the whole server)",
        )

"""`docker compose` in a checkout, and the tools that its service `setup` has."""

import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicestack.errors import VoicestackError
from voicestack.host import child, private
from voicestack.host.airgap_install import extract

TIMEOUT_S = 120.0
# The service that sees all volumes and runs nothing.
TOOLS = "setup"
# -P: the image's code, not that of the checkout where it runs.
INSIDE = ("python", "-P", "-m", "voicestack.compose.inside")
# Services read them as another user.
SETTINGS_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Compose:
    """One project of Docker Compose."""

    checkout: Path

    def docker(self, *arguments: str, timeout_s: float = TIMEOUT_S, stdin: bytes = b"") -> bytes:
        """`docker …` in the checkout."""
        hint = "`docker compose ps --all` and `docker compose logs` show more"
        command = ["docker", *arguments]
        return child.run(command, cwd=self.checkout, timeout_s=timeout_s, hint=hint, stdin=stdin)

    def compose(self, *arguments: str, timeout_s: float = TIMEOUT_S) -> bytes:
        """`docker compose …`, with the profiles that run."""
        profiles = [word for name in self._profiles() for word in ("--profile", name)]
        return self.docker("compose", *profiles, *arguments, timeout_s=timeout_s)

    def tools(self, *command: str, timeout_s: float = TIMEOUT_S, stdin: bytes = b"") -> bytes:
        """Run a command where all volumes are; it ends, and so does its container."""
        run = ("compose", "run", "--rm", "--no-deps", "-T", "--workdir", "/checkout", TOOLS)
        return self.docker(*run, *command, timeout_s=timeout_s, stdin=stdin)

    def containers(self, *options: str) -> list[dict[str, Any]]:
        """What Compose knows of them."""
        listed = self.docker("compose", "ps", "--format", "json", *options).decode()
        return [json.loads(line) for line in listed.splitlines()]

    def ailing(self) -> list[str]:
        """Services that should run and do not, or are not healthy; `setup` has ended."""
        return [
            f"{each['Service']} is {each['Health'] or each['State']}"
            for each in self.containers("--all")
            if each["Service"] != TOOLS
            and (each["State"] != "running" or each["Health"] not in {"healthy", ""})
        ]

    def check_room(self, free_bytes: int) -> None:
        """Raise where Docker keeps images and less than that is free."""
        self.tools(*INSIDE, "room", str(free_bytes))

    def backup(self, target: Path, recipient: str | None = None) -> int:
        """Make one where the volumes are, write it here; its size."""
        made = self.tools(*INSIDE, "backup", *([recipient] if recipient else []))
        private.write(target, made)
        return len(made)

    def restore(self, source: Path, identity: Path | None = None) -> list[str]:
        """Put one back into empty volumes and this checkout; what is new in the checkout."""
        if running := self.containers():
            raise VoicestackError(
                f"{len(running)} containers run: the backup would replace what they use",
                hint="`docker compose down --volumes` forgets this stack's state",
            )
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            try:
                tar.add(source, "backup")
                if identity:
                    tar.add(identity, "identity")
            except OSError as error:
                raise VoicestackError(
                    f"{error.filename} cannot be read ({error.strerror})", hint="name another file"
                ) from error
        return self._place(self.tools(*INSIDE, "restore", stdin=out.getvalue()))

    def _place(self, packed: bytes) -> list[str]:
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            extract(tar, self.checkout)
            names = [each.name for each in tar.getmembers() if each.isfile()]
        for name in names:
            (self.checkout / name).chmod(SETTINGS_MODE)
        return names

    def _profiles(self) -> list[str]:
        """Profiles of what runs: without their names Compose would leave it as it is."""
        text = self.docker("compose", "--profile", "*", "config", "--format", "json")
        services: dict[str, dict[str, Any]] = json.loads(text)["services"]
        running = {each["Service"] for each in self.containers()}
        found = [
            profile
            for name, service in services.items()
            if name in running
            for profile in service.get("profiles", [])
        ]
        return list(dict.fromkeys(found))

"""What a look needs of a stack in containers, out of their volumes: secrets, configuration, logs.

Whoever may use Docker may read all of it anyway. It lies in memory where there is /dev/shm, is for
this user alone, and is gone with the process.
"""

import asyncio
import contextlib
import io
import shutil
import subprocess
import tarfile
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path

from voicestack.diagnosis.model import CannotTellError

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own in it, mode 0700
# A container starts within a second; a busy machine takes longer.
TIMEOUT_S = 5.0
# The service that sees all volumes; it ends, and so does its container.
TOOLS = ("run", "--rm", "--no-deps", "-T", "setup")
# The authority's certificate, never its key.
AUTHORITY = "caddy/pki/authorities/local/root.crt"
KEPT = ("tar", "--create", "--ignore-failed-read", "--directory", "/")
MARKS = ("exec", "-T", "control", "tar", "--create", "--directory", "/state", "run")
LOGGED = ("sip", "livekit", "agent")
# Docker keeps 60 MB a service; registrations and the last calls are in far less.
LOG_LINES = "20000"


class Borrowed:
    """A folder like STATE_DIR, and the programs that keep its logs up to date."""

    def __init__(self) -> None:
        memory = MEMORY if MEMORY.is_dir() else None
        self.state = Path(tempfile.mkdtemp(prefix="voicestack-look-", dir=memory))
        self.following: list[subprocess.Popen[bytes]] = []
        weakref.finalize(self, _give_back, self.state, self.following)

    def unpack(self, packed: bytes) -> None:
        """Files of a tar, as /state has them; configuration comes a folder for each server."""
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            tar.extractall(self.state, filter=_as_in_state)  # noqa: S202 - by the data filter
        for folder in self.state.rglob("*/"):
            folder.chmod(0o700)  # which the filter leaves to umask(2)

    def follow(self, root: Path, service: str) -> None:
        """Have Docker write down what a service says, from long ago on."""
        logs = self.state / "logs"
        logs.mkdir(exist_ok=True)
        options = ("--follow", "--no-log-prefix", "--no-color", "--tail", LOG_LINES)
        with (logs / f"{service}.log").open("wb") as file:
            self.following.append(
                subprocess.Popen(
                    ["docker", "compose", "logs", *options, service],
                    cwd=root, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.DEVNULL,
                )
            )  # fmt: skip


def _give_back(state: Path, following: Sequence["subprocess.Popen[bytes]"]) -> None:
    for each in following:
        each.kill()
        each.wait()
    shutil.rmtree(state, ignore_errors=True)


def _as_in_state(member: tarfile.TarInfo, to: str) -> tarfile.TarInfo | None:
    """`handed/sip/sip.yaml` is `config/sip.yaml` of a stack of processes."""
    parts = Path(member.name).parts
    if parts[:1] == ("state",):
        member.name = str(Path(*parts[1:]))
    elif parts[:1] == ("handed",) and len(parts) > 2:
        member.name = str(Path("config", *parts[2:]))
    elif parts[:1] == ("handed",):
        return None  # each is a folder of one server
    return tarfile.data_filter(member, to)


async def borrow(root: Path) -> Borrowed:
    """Fetch all of it."""
    borrowed = Borrowed()
    found = (*KEPT, "state/secrets", f"state/{AUTHORITY}", "handed")
    kept, marks = await asyncio.gather(ask(root, *TOOLS, *found), ask(root, *MARKS))
    if not kept:
        raise CannotTellError(
            "the volumes of the containers could not be read", "docker compose run --rm setup true"
        )
    with contextlib.suppress(tarfile.TarError):
        borrowed.unpack(kept)
        if marks:
            borrowed.unpack(marks)
    for service in LOGGED:
        borrowed.follow(root, service)
    return borrowed


async def ask(root: Path, *command: str) -> bytes:
    """What `docker compose …` prints; nothing, where it fails."""
    try:
        _, said, _ = await docker(root, TIMEOUT_S, "compose", *command)
    except TimeoutError:
        return b""
    return said


async def docker(root: Path, limit_s: float, *command: str) -> tuple[int, bytes, bytes]:
    """Run the client; its exit code, and what it printed on each stream."""
    process = await asyncio.create_subprocess_exec(
        "docker", *command, cwd=root,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(limit_s):
            said, complaint = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    return process.returncode or 0, said, complaint

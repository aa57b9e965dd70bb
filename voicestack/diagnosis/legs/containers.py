"""Docker Compose: what it says of this checkout's containers, where the stack runs in some.

Secrets, configuration and logs lie in volumes there, which only root can read: they are fetched
from inside a container, and everything else is looked at as for a stack of processes.
"""

import asyncio
import contextlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicestack import credentials
from voicestack.diagnosis import borrowed
from voicestack.diagnosis.model import CannotTellError, Check, Context, Finding, Unknown, Verdict
from voicestack.native.up import Stack

LEG = "processes and ports"
TIMEOUT_S = 3.0
PS = ("compose", "ps", "--all", "--format", "json")


@dataclass(frozen=True, slots=True)
class Container:
    """One service, in Docker's words."""

    service: str
    state: str  # created, running, restarting, exited, dead, paused
    health: str = ""  # healthy, unhealthy, starting; empty: nobody asks
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """Containers of this checkout; none where it runs as processes, or not at all."""

    containers: tuple[Container, ...] = ()


async def look(context: Context) -> Facts:
    """Ask Docker, unless the stack runs here as processes."""
    native = await asyncio.to_thread(credentials.directory_of(context.settings).is_dir)
    if native or not shutil.which("docker"):
        return Facts()
    found = await listed(context.root)
    context.facts["contained"] = bool(found)
    return Facts(found)


async def listed(root: Path) -> tuple[Container, ...]:
    """`docker compose ps`: one object a line, or one list (before Compose 2.21)."""
    try:
        failed, said, complaint = await borrowed.docker(root, TIMEOUT_S, *PS)
    except TimeoutError:
        raise CannotTellError("Docker does not answer", "systemctl status docker") from None
    if failed:
        text = complaint.decode(errors="replace").strip()
        if "permission denied" in text.lower():
            raise CannotTellError("Docker is not open to this user", "run as root, or in its group")
        return ()  # no daemon, no Compose, no such project: nothing runs in containers
    return parse(said.decode(errors="replace"))


def parse(text: str) -> tuple[Container, ...]:
    """What Compose printed; lines that are no containers are passed over."""
    rows: list[Any] = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            value = json.loads(line)
            rows += value if isinstance(value, list) else [value]
    return tuple(
        Container(
            str(row["Service"]),
            str(row.get("State", "")),
            str(row.get("Health", "")),
            int(row.get("ExitCode") or 0),
        )
        for row in rows
        if isinstance(row, dict) and "Service" in row
    )


def judge(facts: Facts) -> Verdict:
    """Who does not run; who is not well is told last, where no other check says why."""
    found: list[Finding | Unknown] = []
    for each in facts.containers:
        if each.state == "exited" and not each.exit_code and each.service == "setup":
            continue  # it prepares, and ends
        if each.state != "running":
            seen = f"Docker says {each.state}, exit code {each.exit_code}"
            explains = (f"PRC003 {each.service}",)
            found.append(
                Finding("CON001", seen, each.service, log_of(each.service), explains=explains)
            )
        elif each.health == "starting":
            found.append(Unknown(f"{each.service} is still starting", "look again in a minute"))
    return found


def log_of(service: str) -> str:
    """The command that shows what a container wrote."""
    return f"docker compose logs --tail 50 {service}"


async def look_volumes(context: Context) -> bool:
    """Fetch what lies in volumes; from now on it is the stack's state."""
    if not context.facts.get("contained"):
        return False
    found = await borrowed.borrow(context.root)
    context.facts["borrowed"] = found
    conf = context.settings.model_copy(update={"state_dir": found.state})
    context.stack = Stack(conf, context.root)
    return True


def judge_volumes(_: bool) -> Verdict:
    """Whether what was fetched is right is looked at by others."""
    return []


CHECK = Check(
    "containers", LEG, "containers", look, judge, needs=("settings",), limit_s=TIMEOUT_S + 1
)
VOLUMES = Check(
    "volumes", LEG, "volumes of containers", look_volumes, judge_volumes, needs=("containers",),
    limit_s=borrowed.TIMEOUT_S + 1, vital=True,
)  # fmt: skip
CHECKS = (CHECK, VOLUMES)

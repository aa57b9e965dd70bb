"""Docker Compose: what it says of this checkout's containers, where the stack runs in some.

Secrets and logs lie in volumes there, which only root can read: processes and health are seen,
the rest from inside a container, or from outside like on another machine.
"""

import asyncio
import contextlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicestack import credentials
from voicestack.diagnosis.model import CannotTellError, Check, Context, Finding, Unknown, Verdict

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
    address: str = ""


async def look(context: Context) -> Facts:
    """Ask Docker, unless the stack runs here as processes."""
    native = await asyncio.to_thread(credentials.directory_of(context.settings).is_dir)
    if native or not shutil.which("docker"):
        return Facts()
    found = await listed(context.root)
    context.facts["contained"] = bool(found)
    return Facts(found, str(context.settings.node_ip))


async def listed(root: Path) -> tuple[Container, ...]:
    """`docker compose ps`: one object a line, or one list (before Compose 2.21)."""
    process = await asyncio.create_subprocess_exec(
        "docker", *PS, cwd=root,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(TIMEOUT_S):
            said, complaint = await process.communicate()
    except TimeoutError:
        raise CannotTellError("Docker does not answer", "systemctl status docker") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    if process.returncode:
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
    """Who does not run, then who is not well; where all are, what else could be looked at."""
    found: list[Finding | Unknown] = []
    for each in facts.containers:
        log = f"docker compose logs --tail 50 {each.service}"
        if each.state == "exited" and not each.exit_code and each.service == "setup":
            continue  # it prepares, and ends
        if each.state != "running":
            seen = f"Docker says {each.state}, exit code {each.exit_code}"
            found.append(Finding("CON001", seen, each.service, log))
        elif each.health == "unhealthy":
            found.append(Finding("CON002", "its health check fails", each.service, log))
        elif each.health == "starting":
            found.append(Unknown(f"{each.service} is still starting", "look again in a minute"))
    if facts.containers and not found:
        why = "all containers are well; their secrets and logs lie in volumes"
        found.append(Unknown(why, f"scripts/sanity_check.py --from-outside {facts.address}"))
    return found


CHECK = Check(
    "containers", LEG, "containers", look, judge, needs=("settings",), limit_s=TIMEOUT_S + 1
)

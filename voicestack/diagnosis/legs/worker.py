"""The worker: registered, alone under its name, with a line free, wanted by the lines."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from voicestack.deploy.releases import SLOTS
from voicestack.diagnosis import logs
from voicestack.diagnosis.model import Check, Context, Finding, Unknown, Verdict
from voicestack.native.services import HEALTH_PORTS

LEG = "worker"
TIMEOUT_S = 2.0
# voice_agent/occupancy.py, QUIET_S
QUIET_S = 1.2
# Each agent is a module; the worker runs in an environment of its own, so it is not imported.
AGENTS = Path("agent/voice_agent/agents")


@dataclass(frozen=True, slots=True)
class Facts:
    """The worker's own pages, and what livekit-server wrote of workers."""

    status: int | None  # of GET /
    text: str = ""
    name: str = ""
    active: int = 0
    own_id: str = ""  # as run/SLOT-registered has it
    registered: Mapping[str, str] | None = None  # id → name; None: the log does not tell
    beside: frozenset[str] = frozenset()  # ours too: during a deploy there are two
    refused: bool = False  # the server turned our key away
    max_calls: int = 1
    # line → worker that it needs, agent that is to answer
    wanted: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    hosted: frozenset[str] | None = None  # agents of the checkout; None: not known


async def look(context: Context) -> Facts:
    """Ask the worker, then read livekit-server's log of registrations."""
    slot = context.whole.on_duty
    url = f"http://127.0.0.1:{context.ports[HEALTH_PORTS[slot]]}"
    wanted = {line.where: (line.worker or line.agent, line.agent) for line in context.lines}
    ids = {each: worker_id(context, each) for each in SLOTS}
    seen = await asyncio.to_thread(registered_workers, context)
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, trust_env=False) as client:
        try:
            health = await client.get("/")
            page: dict[str, Any] = (await client.get("/worker")).json()
        except (httpx.HTTPError, ValueError) as error:
            return Facts(None, f"{type(error).__name__} {error}".strip())
    return Facts(
        health.status_code,
        health.text[:200],
        str(page.get("agent_name", "")),
        await active_calls(page, context.whole.paths.run / "lines", context.settings.max_calls),
        ids.pop(slot),
        seen,
        beside=frozenset(ids.values()),
        max_calls=context.settings.max_calls,
        wanted=wanted,
        hosted=await asyncio.to_thread(hosted_agents, context.root / AGENTS),
    )


async def active_calls(page: Mapping[str, Any], marks: Path, most: int) -> int:
    """Count twice where all lines seem busy: the mark of a call lives on for a moment."""
    jobs = int(page.get("active_jobs", 0))
    if min(jobs, lines_in_use(marks)) >= most:
        await asyncio.sleep(QUIET_S + 0.2)
    return min(jobs, lines_in_use(marks))


def worker_id(context: Context, slot: str) -> str:
    """The id of the worker of a slot, as it wrote it; empty if it is not registered."""
    mark = context.whole.mark(slot)
    return mark.read_text().strip() if mark.is_file() else ""


def hosted_agents(folder: Path) -> frozenset[str] | None:
    """Name the agents as the worker finds them (voice_agent/agents/__init__.py, `names`)."""
    found = {path.stem for path in folder.glob("*.py")} - {"__init__", "desk"}
    return frozenset(found) or None


def lines_in_use(folder: Path) -> int:
    """Count as the worker does (voice_agent/occupancy.py): jobs whose caller was heard lately."""
    now_s, count = time.time(), 0
    for mark in folder.glob("*/*"):
        with contextlib.suppress(FileNotFoundError):
            count += now_s - mark.stat().st_mtime < QUIET_S
    return count


def registered_workers(context: Context) -> Mapping[str, str] | None:
    """Follow livekit-server's log since its last start: there is no API that lists workers.

    Of a log that was rotated since then only the rest is seen.
    """
    if context.settings.log_level not in {"debug", "info"}:
        return None
    found: dict[str, str] = {}
    for line in logs.read(context.log_file("livekit")):
        phrase = line.get("msg")
        if phrase == "starting LiveKit server":
            found = {}
        elif phrase == "worker registered":
            found[str(line.get("workerID"))] = str(line.get("agentName"))
        elif phrase == "closing worker":
            found.pop(str(line.get("workerID")), None)
    return found


def _module(agent: str) -> str:
    return agent.removesuffix("-dev").replace("-", "_")


def judge(facts: Facts) -> Verdict:
    """Reached, registered, wanted, alone, free."""
    if facts.status is None:
        return [Finding("WRK002", facts.text)]
    if facts.status == httpx.codes.SERVICE_UNAVAILABLE:
        if "inference" in facts.text:
            return [Finding("WRK099", facts.text)]
        return [Finding("WRK001", facts.text)]
    if facts.status != httpx.codes.OK:
        return [Finding("WRK099", f"GET / answers {facts.status} {facts.text}")]
    if not facts.own_id:
        return [Finding("WRK001", "it has not said that it is registered")]
    names = {facts.name, *(facts.registered or {}).values()}
    found = [
        Finding("WRK003", f"{where} asks for {worker}, the worker is {facts.name}", where)
        for where, (worker, _) in facts.wanted.items()
        if worker not in names
    ]
    found += [
        Finding("WRK006", f"{where} names {agent}", where)
        for where, (worker, agent) in facts.wanted.items()
        if worker == facts.name and facts.hosted and _module(agent) not in facts.hosted
    ]
    if facts.registered is None:
        return [
            *found,
            Unknown("only livekit-server's log tells of other workers", "LOG_LEVEL=info"),
        ]
    rivals = [
        worker
        for worker, name in facts.registered.items()
        if name == facts.name and worker not in {facts.own_id, *facts.beside}
    ]
    if rivals:
        found.append(Finding("WRK005", f"{', '.join(rivals)} beside ours, {facts.own_id}"))
    if facts.active >= facts.max_calls:
        found.append(Finding("WRK004", f"{facts.active} of {facts.max_calls} calls are up"))
    return found


CHECKS = (
    Check(
        "worker",
        LEG,
        "agent worker",
        look,
        judge,
        needs=("processes:agent", "server", "lines file"),
        limit_s=4.0,
    ),
)

"""Which services run, which hold their ports, and who else does."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from voicestack.deploy.releases import SLOTS
from voicestack.diagnosis import lastwords
from voicestack.diagnosis.legs.containers import Container, log_of
from voicestack.diagnosis.model import CannotTellError, Check, Context, Finding, Verdict
from voicestack.native import leftovers
from voicestack.native.services import HEALTH_PORTS
from voicestack.native.supervisor import Supervisor
from voicestack.ports import TABLE

LEG = "processes and ports"
# Sockets of each service: the first must be there once it runs, none may be a stranger's. Ports
# for the audio of calls open with the call. The worker's port depends on its slot.
LISTENS = {
    "redis": ("redis",),
    "livekit": ("livekit_http", "livekit_udp", "livekit_tcp"),
    "sip": ("sip",),
    "control": ("control",),
    "llm": ("llm",),
    "tts": ("tts",),
    "caddy": ("https",),
}
CONFIGURED_BY = {
    "redis": ("redis.conf",),
    "livekit": ("livekit.yaml",),
    "sip": ("sip.yaml",),
    "caddy": ("Caddyfile",),
}
# A service that starts opens its port within this time; models load for some seconds.
START_S = 20.0


@dataclass(frozen=True, slots=True)
class Listener:
    """Who holds a port. `ours` is None where the kernel does not tell us whose it is."""

    ours: bool | None
    who: str


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """One service as the supervisor and the kernel show it."""

    status: str  # of the supervisor: "Running", "Completed", "Restarting", …; "" unknown
    ready: bool
    age_s: float | None = None
    frozen: bool = False
    pid: int = 0
    exit_code: int = 0
    listener: Listener | None = None
    port: int = 0
    after: tuple[str, ...] = ()
    ended: lastwords.Ended | None = None  # what it said as it ended, where that names the cause


@dataclass(frozen=True, slots=True)
class Facts:
    """All services in call order."""

    supervisor: bool  # it answers
    ours_alive: int  # processes that carry this stack's mark
    services: Mapping[str, ServiceFacts] = field(default_factory=dict)
    supervisor_frozen: int = 0  # its pid, if it is
    contained: bool = False


async def look(context: Context) -> Facts:
    """Ask supervisor and kernel; Docker has been asked."""
    if context.contained:
        return of_containers(context.facts["containers"].containers)
    return await asyncio.to_thread(_look, context)


def of_containers(containers: Sequence[Container]) -> Facts:
    """Each container is a service; which ports it holds nobody says on the host's network."""
    services = {
        each.service: ServiceFacts(
            status="Running" if each.state == "running" else each.state,
            ready=each.health != "unhealthy",
            exit_code=each.exit_code,
            listener=Listener(None, "a container"),
        )
        for each in containers
        if each.service != "setup"
    }
    return Facts(True, len(services), services, contained=True)


def _look(context: Context) -> Facts:
    stack = context.whole
    supervisor_pid = _pid_in(stack.paths.run / "supervisor.pid")
    if _process(supervisor_pid)[1]:
        return Facts(False, 0, supervisor_frozen=supervisor_pid)
    with Supervisor(stack.paths) as supervisor:
        states = {state.name: state for state in supervisor.states()}
    ours = {process.pid for process in leftovers.find(stack.paths.state)}
    ours |= {state.pid for state in states.values()}
    listeners = _listeners(context, ours)
    unseen = any(each.ours is None for each in listeners.values())
    if unseen and not states and not ours:
        raise CannotTellError(
            "what holds the ports belongs to another user or to a container",
            "run as the user that started the stack; in containers: docker compose ps",
        )
    services = {}
    for service in stack.services:
        name, keys = service.name, LISTENS.get(service.name, ())
        if name in SLOTS:
            if name != stack.on_duty:
                continue  # a deploy under way looks after it
            name, keys = SLOTS[0], (HEALTH_PORTS[service.name],)
        state = states.get(service.name)
        port = _judged_port([stack.ports[key] for key in keys], listeners)
        age_s, frozen = _process(state.pid if state else 0)
        services[name] = ServiceFacts(
            status=state.status if state else "",
            ready=bool(state and state.ready),
            age_s=age_s,
            frozen=frozen,
            pid=state.pid if state else 0,
            exit_code=state.exit_code if state else 0,
            listener=listeners.get(port),
            port=port,
            after=service.after,
            ended=None if port in listeners else lastwords.of(context.log_file(service.name)),
        )
    return Facts(bool(states), len(ours), services)


def _judged_port(ports: list[int], listeners: Mapping[int, Listener]) -> int:
    """The port that a stranger has, else the one that shows that the service is up."""
    taken = (port for port in ports if port in listeners and listeners[port].ours is False)
    return next(taken, ports[0])


def _pid_in(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _process(pid: int) -> tuple[float | None, bool]:
    """Age, and whether it is stopped in its tracks."""
    try:
        process = psutil.Process(pid) if pid else None
        if process is None:
            return None, False
        frozen = process.status() in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}
        return time.time() - process.create_time(), frozen
    except psutil.Error:
        return None, False


def _listeners(context: Context, ours: set[int]) -> dict[int, Listener]:
    """Holders of the ports of the table."""
    wanted = {context.ports[port.key] for port in TABLE}
    found: dict[int, Listener] = {}
    for each in psutil.net_connections("inet"):
        listening = each.status == psutil.CONN_LISTEN or (each.type == 2 and not each.raddr)
        if not listening or not each.laddr or each.laddr.port not in wanted:
            continue
        holder = _listener(each.pid, ours)
        if each.laddr.port not in found or holder.ours is False:
            found[each.laddr.port] = holder
    return found


def _listener(pid: int | None, ours: set[int]) -> Listener:
    if pid is None:
        return Listener(None, "a process of another user")
    if pid in ours:
        return Listener(True, "")
    if _is_contained(pid):
        return Listener(None, f"a container (pid {pid})")
    try:
        return Listener(False, f"{psutil.Process(pid).name()} (pid {pid})")
    except psutil.Error:
        return Listener(None, f"pid {pid}")


def _is_contained(pid: int) -> bool:
    """True for a process of a container: its control group says so (cgroups(7))."""
    try:
        group = Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False
    return any(word in group for word in ("docker", "containerd", "libpod", "kubepods"))


def judge(facts: Facts) -> Verdict:
    """A taken port before a dead service; what waits for a faulty service is quiet."""
    if pid := facts.supervisor_frozen:
        return [Finding("PRC004", f"pid {pid} is stopped", "supervisor", f"kill -CONT {pid}")]
    found = [
        Finding("PRT001", f"port {service.port} is held by {service.listener.who}", name)
        for name, service in facts.services.items()
        if service.listener is not None and service.listener.ours is False
    ]
    if not facts.supervisor:
        if facts.ours_alive:
            return [*found, Finding("PRC002", f"{facts.ours_alive} processes without supervisor")]
        return [*found, Finding("PRC001", "no process of this stack was found")]
    faulty, waiting = {finding.subject for finding in found}, []
    for name, service in facts.services.items():
        if name in faulty:
            continue
        if _waits(name, facts, faulty):
            faulty.add(name)
            waiting.append(name)
        elif finding := _judge_one(name, service):
            faulty.add(name)
            found.append(finding)
    return [replace(finding, holds_up=tuple(waiting)) for finding in found]


def _waits(name: str, facts: Facts, faulty: set[str]) -> bool:
    service = facts.services[name]
    return service.status in {"Pending", "Skipped"} and any(
        each in faulty for each in service.after
    )


def _judge_one(name: str, service: ServiceFacts) -> Finding | None:
    if service.frozen:
        return Finding("PRC004", f"pid {service.pid} is stopped", name, f"kill -CONT {service.pid}")
    if service.ended is not None:
        # Its file differs because somebody changed it; what the change broke is said here.
        files = tuple(f"SET005 {file}" for file in CONFIGURED_BY.get(name, ()))
        return Finding(service.ended.code, service.ended.text, name, explains=files)
    if service.status != "Running":
        seen = f"the supervisor says {service.status.lower() or 'nothing'} of it"
        return Finding("PRC003", f"{seen}, exit code {service.exit_code}", name)
    if service.listener is None and (service.age_s or 0) > START_S:
        return Finding("PRC005", f"nothing listens on port {service.port}", name)
    if service.listener is None:
        seen = f"started {service.age_s or 0:.0f} s ago, port {service.port} is not open yet"
        return Finding("PRC005", seen, name)
    return None


CHECKS = (
    Check("processes", LEG, "services and ports", look, judge, needs=("secrets", "installed")),
)


@dataclass(frozen=True, slots=True)
class ReadyFacts:
    """Services whose readiness probe fails."""

    not_ready: tuple[str, ...]
    contained: bool = False


async def look_ready(context: Context) -> ReadyFacts:
    """Use what was seen before; where services could not be seen, their check has said so."""
    facts: Facts | None = context.facts.get("processes")
    services = facts.services if facts else {}
    not_ready = tuple(name for name, each in services.items() if not each.ready)
    return ReadyFacts(not_ready, bool(facts and facts.contained))


def judge_ready(facts: ReadyFacts) -> Verdict:
    """Everything else is fine, so the cause is unknown."""
    if facts.contained:
        return [
            Finding("CON099", "its health check fails", name, log_of(name))
            for name in facts.not_ready
        ]
    return [Finding("PRC099", "its readiness probe fails", name) for name in facts.not_ready]

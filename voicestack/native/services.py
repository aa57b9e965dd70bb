"""The services of the native runtime, in call order: what runs, what it reads, when it is ready."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from voicestack.deploy.releases import SLOTS
from voicestack.environment import service_environment
from voicestack.native.paths import Paths
from voicestack.network import REGISTRAR
from voicestack.ports import Ports
from voicestack.settings import Settings
from voicestack.setup.manifest import place

# Calls are answered while the machine compiles something: the phone goes first. Only root may.
PRIORITY = ("nice", "-n", "-10") if os.geteuid() == 0 else ()
# The model writes on while its first words are made into sound, which would take twice as long at
# the same priority (Piper, 4 words, two cores: 150 ms instead of 75).
AFTER_THE_VOICE = () if os.geteuid() == 0 else ("nice", "-n", "10")
# Readiness decides the order at the start, and never restarts a service afterwards: livekit-server
# is "not ready" in each blip of Redis (pkg/service/server.go); a restart would cut its calls.
NEVER = 1_000_000
PROBE_TIMEOUT_S = 2
# Where Debian's package puts it; sbin is not on everybody's PATH.
KAMAILIO = "/usr/sbin/kamailio"
# Two workers of one machine cannot share it.
HEALTH_PORTS = dict(zip(SLOTS, ("agent_health", "agent_b_health"), strict=True))


@dataclass(frozen=True, slots=True)
class Service:
    """One child process."""

    name: str
    command: tuple[str, ...]
    ready: Mapping[str, Any]
    after: tuple[str, ...] = ()
    # Started side by side, but stopped before these: calls that still drain need their models.
    before_stop_of: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_s: int = 5
    # True: only the process itself is told to stop, and ends its children when they are done.
    parent_only: bool = False
    # Not started with the stack: a deploy starts it (voicestack/deploy/).
    disabled: bool = False


def http(port: int, path: str = "/") -> dict[str, Any]:
    """Ready when this address answers 200."""
    return {"http_get": {"host": "127.0.0.1", "port": str(port), "path": path}}


def shell(command: str) -> dict[str, Any]:
    """Ready when this command exits 0."""
    return {"exec": {"command": command}}


def all_services(settings: Settings, ports: Ports, paths: Paths) -> tuple[Service, ...]:
    """Every service of the stack; the local models only where no other server is set.

    The last slot of the worker is empty but for deploys.
    """
    servers = (
        redis(ports, paths),
        livekit(ports, paths),
        sip(settings, ports, paths),
        control(settings, ports, paths),
    )
    models = local_models(settings, ports, paths)
    workers = tuple(agent(ports, settings, paths, models, slot) for slot in SLOTS)
    more = (registrar(ports, paths),) if settings.registrar == "on" else ()
    return (*servers, *models, *workers, caddy(ports, paths), *more)


def local_models(settings: Settings, ports: Ports, paths: Paths) -> tuple[Service, ...]:
    """The model servers of this machine that are asked for."""
    return tuple(
        model
        for model, url in (
            (llm(settings, ports, paths), settings.llm_url),
            (tts(settings, ports, paths), settings.tts_url),
        )
        if not url
    )


def redis(ports: Ports, paths: Paths) -> Service:
    """Where trunks, rules and rooms stand."""
    return Service(
        "redis",
        (paths.binary("redis-server"), str(paths.config / "redis.conf")),
        # Without the password the answer is NOAUTH, which only a server that is up can give.
        ready=shell(f"redis-cli -p {ports['redis']} ping | grep -q NOAUTH"),
    )


def livekit(ports: Ports, paths: Paths) -> Service:
    """Rooms and media."""
    return Service(
        "livekit",
        (*PRIORITY, paths.binary("livekit-server"), "--config", str(paths.config / "livekit.yaml")),
        ready=http(ports["livekit_http"]),
        after=("redis",),
    )


def sip(settings: Settings, ports: Ports, paths: Paths) -> Service:
    """Phone calls in and out; told to stop, it lets calls end first."""
    return Service(
        "sip",
        (*PRIORITY, paths.binary("livekit-sip"), "--config", str(paths.config / "sip.yaml")),
        # SIP is spoken over TCP on the same port.
        ready=shell(f"bash -c '</dev/tcp/127.0.0.1/{ports['sip']}'"),
        after=("redis", "livekit"),
        stop_s=settings.drain_s + 5,
    )


def control(settings: Settings, ports: Ports, paths: Paths) -> Service:
    """Lines and webhooks: ready when every line is provisioned."""
    return Service(
        "control",
        (str(paths.python), "-m", "control"),
        ready=http(ports["control"], "/ready"),
        after=("livekit",),
        environment=service_environment("control", settings),
    )


def llm(settings: Settings, ports: Ports, paths: Paths) -> Service:
    """The local language model."""
    return Service(
        "llm",
        (*AFTER_THE_VOICE, str(paths.python), "-m", "model_servers.llm"),
        ready=http(ports["llm"], "/health"),
        environment={
            "LLM_MODEL_FILE": str(place("llm", settings.llm_model, paths.cache)),
            "LLM_PORT": str(ports["llm"]),
            # llama.cpp's threads spin while they wait for each other: where others compute as well,
            # more are slower, and idle they gain little (first token: 75 ms with 2, 88 with 1).
            "LLM_THREADS": str(settings.llm_threads or max(1, (os.cpu_count() or 1) // 2)),
            # One slot for each call, and one for the early answer that a call may throw away.
            "LLM_SLOTS": str(settings.max_calls + 1),
        },
    )


def tts(settings: Settings, ports: Ports, paths: Paths) -> Service:
    """The local voice."""
    return Service(
        "tts",
        (*PRIORITY, str(paths.python), "-m", "model_servers.tts"),
        ready=http(ports["tts"], "/health"),
        environment={
            "TTS_VOICE_FILE": str(place("tts", settings.tts_voice, paths.cache)),
            "TTS_PORT": str(ports["tts"]),
            "TTS_WORKERS": str(settings.max_calls),
        },
    )


def agent(
    ports: Ports, settings: Settings, paths: Paths, models: tuple[Service, ...], slot: str
) -> Service:
    """The worker of a slot, whatever release that has: ready when livekit-server registered it."""
    return Service(
        slot,
        (*PRIORITY, "sh", str(paths.slot(slot) / "run")),
        ready=shell(f"test -s {paths.run / f'{slot}-registered'}"),
        after=("livekit",),
        before_stop_of=tuple(model.name for model in models),
        environment={"AGENT_SLOT": slot, "AGENT_HEALTH_PORT": str(ports[HEALTH_PORTS[slot]])},
        stop_s=settings.drain_s + 15,
        parent_only=True,
        disabled=slot != SLOTS[0],
    )


def worker_environment(settings: Settings, paths: Paths) -> dict[str, str]:
    """What a release gives its worker; the rest is the slot's."""
    values = {
        **service_environment("agent", settings),
        "STATE_DIR": str(paths.state),
        "STT_MODEL": str(place("stt", settings.stt_model, paths.cache)),
    }
    return {name: value for name, value in values.items() if name != "AGENT_HEALTH_PORT"}


def caddy(ports: Ports, paths: Paths) -> Service:
    """TLS for browsers: ready when its listeners are, which all start together."""
    return Service(
        "caddy",
        (paths.binary("caddy"), "run", "--config", str(paths.config / "Caddyfile")),
        ready=http(ports["caddy_health"]),
        after=("control",),
    )


def registrar(ports: Ports, paths: Paths) -> Service:
    """Where softphones register: Kamailio of the distribution, told by `control` who may."""
    return Service(
        "registrar",
        (
            *(str(paths.python), "-m", "voicestack.registrar"),
            *("-f", str(paths.config / "kamailio.cfg"), "-DD", "-E"),
            # Memory, shared and of each process: phones of a house need a tenth of it.
            *("-m", "32", "-M", "4", "-w", str(paths.run), "-Y", str(paths.short)),
        ),
        ready=shell(f"bash -c '</dev/tcp/{REGISTRAR}/{ports['registrar']}'"),
        after=("control",),
    )


def supervisor_config(services: tuple[Service, ...], paths: Paths) -> dict[str, Any]:
    """Render the services for process-compose (v1.64.1, www/docs/configuration.md)."""
    return {
        "version": "0.5",
        "disable_env_expansion": True,
        "processes": {service.name: _process(service, paths) for service in services},
    }


def _process(service: Service, paths: Paths) -> dict[str, Any]:
    return {
        "entrypoint": list(service.command),
        "disabled": service.disabled,
        "working_dir": str(paths.root),
        "environment": [f"{name}={value}" for name, value in sorted(service.environment.items())],
        "is_dotenv_disabled": True,
        "log_location": str(paths.logs / f"{service.name}.log"),
        "log_configuration": {
            # The line as the service wrote it, nothing around it.
            "no_metadata": True,
            "disable_json": True,
            "no_color": True,
            "fields_order": ["message"],
            "flush_each_line": True,
            "rotation": {"max_size_mb": 20, "max_backups": 3},
        },
        "depends_on": {
            **{name: {"condition": "process_healthy"} for name in service.after},
            **{name: {"condition": "process_started"} for name in service.before_stop_of},
        },
        "availability": {"restart": "always", "backoff_seconds": 1},
        "readiness_probe": {
            **service.ready,
            "period_seconds": 1,
            "timeout_seconds": PROBE_TIMEOUT_S,
            "failure_threshold": NEVER,
        },
        "shutdown": {
            "signal": 15,
            "timeout_seconds": service.stop_s,
            "parent_only": service.parent_only,
        },
    }

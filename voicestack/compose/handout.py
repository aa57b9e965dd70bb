"""What each container finds in /state/config: its server's files, variables, probe."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voicestack.credentials import Credentials
from voicestack.deploy.releases import SLOTS
from voicestack.environment import as_shell as variables
from voicestack.errors import VoicestackError
from voicestack.native.paths import Paths
from voicestack.native.render import server_files, write_private
from voicestack.native.services import Service, all_services, worker_environment
from voicestack.ports import Ports, resolve
from voicestack.settings import Settings

# Where the set-up mounts the configuration volumes of the services, one folder each.
HANDED = Path("/handed")
# Both model servers are one image with one volume: neither has a secret.
MODELS = ("llm", "tts")
# Two of these are handed to the agent, which is to know no other secret.
AGENT_SECRETS = ("livekit_api_key", "livekit_api_secret")
PROBE_TIMEOUT_S = 2
MEDIA_PROBES = {"egress": "egress_template", "ingress": "ingress_whip"}


def hand_out(settings: Settings, secrets: Credentials, paths: Paths, to: Path = HANDED) -> None:
    """Write every service's files into the folder that is mounted as its /state/config."""
    table = resolve(settings)
    services = {each.name: each for each in all_services(settings, table, paths)}
    _media(settings, table, to)
    for server, files in server_files(settings, table, secrets, paths).items():
        for name, text in files.items():
            write_private(to / server / name, text)
    # The registrar is a service only where it is switched on.
    for name in ("redis", "livekit", "sip", "control", "agent", "caddy", "registrar"):
        if name not in services:
            continue
        write_private(to / name / "health", probe(services[name].ready))
    _control(services["control"], settings, paths, to / "control")
    for slot in SLOTS:
        _agent(services[slot], settings, secrets, paths, to / "agent")
    for name in MODELS:
        _model(name, services.get(name), to / "models")


def _media(settings: Settings, table: Ports, to: Path) -> None:
    """Write the probes of what compose.media.yaml adds: a port that listens, health is off."""
    for name, key in MEDIA_PROBES.items():
        if getattr(settings, name) != "on":
            continue
        if not os.access(to / name, os.W_OK):
            raise VoicestackError(
                f"{name.upper()}=on, and the container of {name} is not among those to start",
                hint=f"docker compose --file compose.yaml --file compose.media.yaml "
                f"--profile {name} up --detach --wait",
            )
        write_private(to / name / "health", f"exec 3<>/dev/tcp/127.0.0.1/{table[key]}\n")


def _control(service: Service, settings: Settings, paths: Paths, folder: Path) -> None:
    """Give control the key of the language model only if it asks it: CALL_SUMMARY."""
    environment = dict(service.environment)
    environment.pop("LLM_API_KEY_FILE", None)
    if settings.llm_api_key_file and settings.call_summary == "on":
        write_private(folder / "llm_api_key", settings.llm_api_key_file.read_text())
        environment["LLM_API_KEY_FILE"] = str(paths.config / "llm_api_key")
    write_private(folder / "control.env", variables(environment))


def _agent(
    service: Service, settings: Settings, secrets: Credentials, paths: Paths, folder: Path
) -> None:
    """Give the worker of a slot copies of the secrets that it reads, and where they are."""
    environment = {**worker_environment(settings, paths), **service.environment}
    # The image knows its version: one that is deployed may be another than this one.
    environment.pop("AGENT_VERSION")
    files: dict[str, Path | None] = {name: secrets.directory / name for name in AGENT_SECRETS}
    files |= {"llm_api_key": settings.llm_api_key_file, "tts_api_key": settings.tts_api_key_file}
    for name, source in files.items():
        if source is not None:
            write_private(folder / name, source.read_text())
            environment[_variable(name)] = str(paths.config / name)
    write_private(folder / f"{service.name}.env", variables(environment))
    write_private(folder / f"{service.name}.health", probe(service.ready))


def _variable(name: str) -> str:
    return f"{name.upper()}_FILE"


def _model(name: str, service: Service | None, folder: Path) -> None:
    """Let a model server sleep where a setting names another one."""
    if service is None:
        idle = f"echo {name.upper()}_URL names another server, nothing to do here\n"
        write_private(folder / f"{name}.env", idle + "exec sleep infinity\n")
        write_private(folder / f"{name}.health", "exit 0\n")
        return
    write_private(folder / f"{name}.env", variables(service.environment))
    write_private(folder / f"{name}.health", probe(service.ready))


def probe(ready: Mapping[str, Any]) -> str:
    """Render a readiness probe for bash, the one tool that every image has."""
    if "exec" in ready:
        return f"{ready['exec']['command']}\n"
    get = ready["http_get"]
    return (
        f"exec 3<>/dev/tcp/{get['host']}/{get['port']} || exit 1\n"
        f"printf 'GET {get['path']} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3\n"
        f'read -r -t {PROBE_TIMEOUT_S} _ status _ <&3 && [ "$status" = 200 ]\n'
    )

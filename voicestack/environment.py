"""What each service finds in its environment: only what it reads, secrets as paths of files."""

import shlex
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from voicestack import credentials, ports

if TYPE_CHECKING:
    from voicestack.settings import Settings

LOCAL = "127.0.0.1"


def agent_environment(settings: "Settings", table: ports.Ports) -> dict[str, str]:
    """Everything that agent/voice_agent/settings.py reads."""
    values = _own_variables("agent", settings)
    secrets = credentials.directory_of(settings)
    values.setdefault("LLM_URL", f"http://{LOCAL}:{table['llm']}/v1")
    values.setdefault("TTS_URL", f"http://{LOCAL}:{table['tts']}/v1")
    return values | {
        "LIVEKIT_URL": f"ws://{LOCAL}:{table['livekit_http']}",
        "LIVEKIT_API_KEY_FILE": str(secrets / "livekit_api_key"),
        "LIVEKIT_API_SECRET_FILE": str(secrets / "livekit_api_secret"),
        "AGENT_HEALTH_PORT": str(table["agent_health"]),
        "AGENT_VERSION": version(settings.root),
        "CONTROL_URL": f"http://{LOCAL}:{table['control']}",
        # Our own server takes sampling controls that others would refuse.
        "LLM_IS_LOCAL": str(settings.llm_url is None),
    }


def version(root: Path) -> str:
    """Name what runs: the checkout's commit, or the package's version where there is no git."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--tags"]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return metadata.version("voicestack")
    return done.stdout.strip()


def as_shell(environment: Mapping[str, str]) -> str:
    """Render variables as a shell reads them."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in sorted(environment.items()))


def service_environment(service: str, settings: "Settings") -> dict[str, str]:
    """The variables of one service, its ports resolved."""
    table = ports.resolve(settings)
    if service == "agent":
        return agent_environment(settings, table)
    values = _own_variables(service, settings)
    if service in {"llm", "tts"}:
        values[f"{service.upper()}_PORT"] = str(table[service])
    return values


def _own_variables(service: str, settings: "Settings") -> dict[str, str]:
    from voicestack.settings import variables

    values = {}
    for name, var in variables().items():
        value: object = getattr(settings, name.lower())
        if service in var.readers and value is not None:
            values[name] = str(value) if not isinstance(value, Path) else str(value.absolute())
    return values

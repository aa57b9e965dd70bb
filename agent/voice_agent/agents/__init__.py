"""Named agents, one module each: `greeting(settings)` and `make(settings)`.

One worker hosts all of them: LiveKit knows it by one name, the job's metadata says which agent it
is to be (voicestack/lines/wanted.py, `request_for`).
"""

import json
import logging
import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, cast

from livekit.agents import Agent
from pydantic import ValidationError

from voice_agent.settings import AgentSettings

log = logging.getLogger("voice_agent.agents")

DEFAULT = "receptionist"
# A worker on a developer's machine takes no calls of the name that it is made after.
DEV = "-dev"


class AgentModule(Protocol):
    """What a module in this folder has."""

    def greeting(self, settings: AgentSettings) -> str:
        """Return the first words of every call, always the same: they are made before it."""

    def make(self, settings: AgentSettings) -> Agent:
        """Make the agent of one call."""


def wanted(agent_name: str, metadata: str) -> str:
    """Return which agent a job asks for: the one in its metadata, else the worker's own name."""
    try:
        values = json.loads(metadata or "{}")
    except ValueError:  # a text of the line's own form
        return agent_name
    named = values.get("agent") if isinstance(values, Mapping) else None
    return named if isinstance(named, str) and named else agent_name


def names() -> list[str]:
    """Return every agent that can be asked for."""
    listed = [each.name for each in pkgutil.iter_modules(__path__)]
    return sorted(name for name in listed if name != "desk")


def of(name: str) -> AgentModule:
    """Return the module of an agent; a name without one gets the receptionist."""
    module = name.removesuffix(DEV).replace("-", "_")
    if module not in names():
        log.warning("no such agent, the receptionist answers", extra={"agent": name})
        module = DEFAULT
    return cast("AgentModule", import_module(f"{__name__}.{module}"))


# What an agent's LIMITS may set, over the settings of the whole worker.
OWN_LIMITS = {"max_call_minutes", "silence_s", "tool_seconds", "tools_per_minute"}


def tailored(named: AgentModule, settings: AgentSettings) -> AgentSettings:
    """Return the settings for calls of one agent, with its VOICE and its LIMITS."""
    changes: dict[str, Any] = dict(getattr(named, "LIMITS", {}))
    if unknown := changes.keys() - OWN_LIMITS:
        log.warning("limits that there are not", extra={"limits": sorted(unknown)})
    changes = {name: value for name, value in changes.items() if name in OWN_LIMITS}
    if voice := getattr(named, "VOICE", ""):
        changes["tts_voice"] = voice
    try:
        return AgentSettings.model_validate(settings.model_dump() | changes)
    except ValidationError as error:  # an agent with a typing error still answers
        log.warning("limits are unfit", extra={"reason": str(error.errors()[0]["msg"])})
        return settings


def greeting(named: AgentModule, settings: AgentSettings, customer: Mapping[str, Any]) -> str:
    """Return the first words: with the caller's name where it is known and the agent greets so."""
    by_name = getattr(named, "greeting_by_name", None)
    if customer.get("name") and by_name is not None:
        return str(by_name(settings, str(customer["name"])))
    return named.greeting(settings)

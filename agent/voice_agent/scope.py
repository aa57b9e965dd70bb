"""Whose call this is: found out by the server when the call comes in, never told by the model.

Tools that act on an account take it from here. What a caller says, and what a model writes into
the arguments of a tool, names nobody.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from livekit.agents import AgentSession, JobContext


@dataclass(frozen=True, slots=True)
class Scope:
    """The limits of one call."""

    room: str = ""
    # None: withheld, hidden by the line, or no telephone.
    number: str | None = None
    # What CALLER_DATA knows of this number; empty where it knows nothing.
    customer: Mapping[str, Any] = field(default_factory=dict)
    # Tools that the line allows; None: all that the agent has.
    tools: frozenset[str] | None = None

    @property
    def name(self) -> str:
        """The caller's name, or nothing."""
        return str(self.customer.get("name", ""))


NOBODY = Scope()
_scopes: WeakKeyDictionary[AgentSession[Any], Scope] = WeakKeyDictionary()


def of(session: AgentSession[Any]) -> Scope:
    """Return the scope of this session's call."""
    return _scopes.get(session, NOBODY)


def limit(session: AgentSession[Any], scope: Scope) -> None:
    """Hold a session to this scope."""
    _scopes[session] = scope


def of_job(
    ctx: JobContext, number: str | None = None, customer: Mapping[str, Any] | None = None
) -> Scope:
    """Return what the server knows of a job's call."""
    return Scope(ctx.job.room.name, number, customer or {}, allowed(ctx.job.metadata))


def allowed(metadata: str) -> frozenset[str] | None:
    """Read `tools` from a line's metadata: names of those that may be used, or a text of them."""
    try:
        values = json.loads(metadata or "{}")
    except ValueError:
        return None
    named = values.get("tools") if isinstance(values, Mapping) else None
    if isinstance(named, str):
        named = [each.strip() for each in named.split(",")]
    return frozenset(map(str, named)) if isinstance(named, list) else None

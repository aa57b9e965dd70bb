"""What a line is, once its description was found fit."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Literal

from voicestack.lines.hours import Hours

# Words for networks that are looked up when lines are applied, not when they are written.
# `phones`: who has registered with a password (docs/softphone.md).
Place = Literal["this-machine", "lan", "phones"]
PLACES: tuple[Place, ...] = ("this-machine", "lan", "phones")
Source = Place | IPv4Network


@dataclass(frozen=True, slots=True)
class Digest:
    """What a caller must prove to know (SIP digest authentication)."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Phone:
    """A softphone that may register, and the number under which agents call it."""

    user: str
    number: str
    ha1: str = field(repr=False)  # RFC 7616 3.4.2: stands for the password, which nobody keeps


@dataclass(frozen=True, slots=True)
class Line:
    """One number, who may call it, and who answers. With sources and digest, both must hold."""

    number: str
    agent: str
    sources: tuple[Source, ...]
    digest: Digest | None
    room: str
    metadata: str  # what the agent gets as job metadata
    hide_number: bool
    ring_timeout_s: int
    max_call_minutes: int
    where: str  # file and line, for later messages
    worker: str = ""  # name of the worker that hosts the agent; empty: its own
    max_calls: int = 0  # at a time on this line; 0: as many as there are agents
    calls_per_caller: int = 2  # at a time of one caller, on all lines
    hours: Hours = ()  # when it is open; empty: always
    closed: str = ""  # said outside these hours; empty: the caller hears busy
    headers_to_attributes: tuple[tuple[str, str], ...] = ()
    attributes_to_headers: tuple[tuple[str, str], ...] = ()
    blocked: frozenset[str] = frozenset()  # numbers that may call no line


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a line has where its description says nothing; mostly from the settings."""

    agent: str = "receptionist"
    room: str = "call-"
    hide_number: bool = True
    # livekit-sip would ring for three minutes (inbound.go); a caller gives up long before.
    ring_timeout_s: int = 20
    max_call_minutes: int = 30

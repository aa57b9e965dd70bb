"""What LiveKit must hold so that a line is answered: one trunk and one dispatch rule."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, collapse_addresses

from google.protobuf.duration_pb2 import Duration
from livekit.protocol.agent_dispatch import RoomAgentDispatch
from livekit.protocol.room import RoomConfiguration
from livekit.protocol.sip import (
    SIPDispatchRule,
    SIPDispatchRuleCallee,
    SIPDispatchRuleInfo,
    SIPInboundTrunkInfo,
)

from voicestack import network
from voicestack.lines import hours
from voicestack.lines.model import Line, Source

# Trunks and rules with this prefix in their name are ours; all others are left alone.
MARK = "voicestack:"
# LiveKit takes an empty list for "anyone" (protocol sip/sip.go, matchAddrMasks). Where a word such
# as `lan` stands for no network on this machine, this one lets nobody in.
NOBODY = IPv4Network("0.0.0.0/32")
# Calls of registered phones, whose password the registrar has checked.
PHONES = IPv4Network(network.REGISTRAR)
# The room is made as the call rings and its agent comes within seconds; nobody comes later.
EMPTY_TIMEOUT_S = 20
# After the caller has gone only a reconnect of the same call could use the room.
DEPARTURE_TIMEOUT_S = 5
# Caller and agent, one place for an agent that takes over from a dead one whose ghost stays for
# 21 s, one for a person who listens in, one for somebody who is asked to take the call.
MAX_PARTICIPANTS = 5


# The agent that says that nobody is there (agent/voice_agent/agents/closed.py).
CLOSED = "closed"
# How livekit names the room of a call: prefix, called number, random letters (protocol sip/sip.go).
ROOM_NUMBER = re.compile(r"_(\+[0-9]+)_[^_]+$")


def called_number(room: str) -> str:
    """The number that was called, by its room: attributes hide it together with the caller's."""
    found = ROOM_NUMBER.search(room)
    return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class Networks:
    """What the words `this-machine` and `lan` stand for now."""

    this_machine: tuple[IPv4Network, ...]
    lan: tuple[IPv4Network, ...]

    def stand_for(self, sources: Iterable[Source]) -> set[IPv4Network]:
        """Every network that the words and networks of a line mean now."""
        found: set[IPv4Network] = set()
        for source in sources:
            if source == "this-machine":
                found.update(self.this_machine)
            elif source == "lan":
                found.update(self.lan)
            elif source == "phones":
                found.add(PHONES)
            else:
                found.add(source)
        return found

    def masks(self, sources: Sequence[Source]) -> list[str]:
        """Address masks for a trunk; empty only if the line names no sources."""
        found = self.stand_for(sources)
        if sources and not found:
            found = {NOBODY}
        return [str(network) for network in collapse_addresses(found)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Trunk and rule of one line."""

    number: str
    trunk: SIPInboundTrunkInfo
    rule: SIPDispatchRuleInfo

    def rule_of(self, trunk_id: str) -> SIPDispatchRuleInfo:
        """The rule, bound to its trunk: one without would answer anybody (livekit/sip #460)."""
        rule = SIPDispatchRuleInfo()
        rule.CopyFrom(self.rule)
        rule.trunk_ids.append(trunk_id)
        return rule


def networks(machine: network.Machine | None = None, *, loopback: bool = False) -> Networks:
    """Look up the words now; a stack on loopback has no LAN."""
    machine = machine or network.look()
    return Networks(
        network.own_networks(machine), () if loopback else network.lan_networks(machine)
    )


def request_for(agent: str, worker: str, metadata: str) -> RoomAgentDispatch:
    """Ask a worker for one of the agents that it hosts.

    LiveKit knows a worker by one name; which agent it is to be stands in the job's metadata
    (agent/voice_agent/agents/__init__.py, `wanted`).
    """
    if not worker or agent == worker:
        return RoomAgentDispatch(agent_name=agent, metadata=metadata)
    try:
        values = json.loads(metadata or "{}")
    except ValueError:
        values = metadata
    if not isinstance(values, dict):
        values = {"metadata": metadata}
    named = json.dumps(values | {"agent": agent}, ensure_ascii=False, sort_keys=True)
    return RoomAgentDispatch(agent_name=worker, metadata=named)


def dispatch_of(line: Line, now: datetime | None) -> list[RoomAgentDispatch]:
    """Who is asked to answer at this time; nobody, where a closed line has nothing to say."""
    if now is None or hours.is_open(line.hours, now):
        return [request_for(line.agent, line.worker, line.metadata)]
    if not line.closed:
        return []
    closed = json.dumps({"line": line.number, "closed": line.closed}, ensure_ascii=False)
    return [request_for(CLOSED, line.worker or line.agent, closed)]


def wanted(line: Line, networks: Networks, now: datetime | None = None) -> Wanted:
    """Trunk and rule that make a line; without a clock it is open."""
    trunk = SIPInboundTrunkInfo(
        name=MARK + line.number,
        numbers=[line.number],
        allowed_addresses=networks.masks(line.sources),
        ringing_timeout=Duration(seconds=line.ring_timeout_s),
        max_call_duration=Duration(seconds=line.max_call_minutes * 60),
    )
    trunk.headers_to_attributes.update(line.headers_to_attributes)
    trunk.attributes_to_headers.update(line.attributes_to_headers)
    if line.digest is not None:
        trunk.auth_username, trunk.auth_password = line.digest.user, line.digest.password
    rule = SIPDispatchRuleInfo(
        name=MARK + line.number,
        # Rooms are named after the number that was called, never after the caller's: a rule of kind
        # "individual" writes the last four digits of the caller into the name even when they are to
        # be hidden (protocol sip/sip.go, EvaluateDispatchRule).
        rule=SIPDispatchRule(
            dispatch_rule_callee=SIPDispatchRuleCallee(room_prefix=line.room, randomize=True)
        ),
        hide_phone_number=line.hide_number,
        room_config=RoomConfiguration(
            empty_timeout=EMPTY_TIMEOUT_S,
            departure_timeout=DEPARTURE_TIMEOUT_S,
            max_participants=MAX_PARTICIPANTS,
            agents=dispatch_of(line, now),
        ),
    )
    return Wanted(line.number, trunk, rule)

"""What must change so that LiveKit knows the lines of the file, and nothing else of ours."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo

from voicestack.lines.wanted import MARK, Wanted

Kind = Literal["trunk", "rule"]
Verb = Literal["create", "replace", "delete"]
Info = TypeVar("Info", SIPInboundTrunkInfo, SIPDispatchRuleInfo)
# The server writes these; `media` repeats `media_encryption` (protocol livekit/sip.go, Upgrade).
SERVERS_FIELDS = frozenset(
    (
        "sip_trunk_id",
        "sip_dispatch_rule_id",
        "created_at",
        "updated_at",
        "media",
        "media_encryption",
    )
)


@dataclass(frozen=True, slots=True)
class Found:
    """What LiveKit has."""

    trunks: Sequence[SIPInboundTrunkInfo]
    rules: Sequence[SIPDispatchRuleInfo]


@dataclass(frozen=True, slots=True)
class Step:
    """One change."""

    verb: Verb
    kind: Kind
    number: str
    id: str = ""  # of what is replaced or deleted
    fields: tuple[str, ...] = ()  # what differs, for people

    def __str__(self) -> str:
        return f"{self.verb} {self.kind} {self.number} {' '.join(self.fields)}".rstrip()


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes in the order in which they are safe, and what stands in the way."""

    steps: tuple[Step, ...]
    conflicts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def diff(lines: Iterable[Wanted], found: Found) -> Plan:
    """Compare what is wanted with what is there."""
    by_number = {each.number: each for each in lines}
    trunks, spare_trunks = _own(found.trunks, by_number)
    rules, spare_rules = _own(found.rules, by_number)
    # A rule goes before the trunk that it names: no call may meet a rule of a trunk that is gone.
    steps = [Step("delete", "rule", _number(each.name), _id(each)) for each in spare_rules]
    steps += [Step("delete", "trunk", _number(each.name), _id(each)) for each in spare_trunks]
    for number, each in by_number.items():
        steps += _steps(each, trunks.get(number), rules.get(number))
    return Plan(tuple(steps), _conflicts(by_number, found), _warnings(found))


def _steps(
    line: Wanted, trunk: SIPInboundTrunkInfo | None, rule: SIPDispatchRuleInfo | None
) -> list[Step]:
    steps = []
    if trunk is None:
        steps.append(Step("create", "trunk", line.number))
    elif fields := _different(line.trunk, trunk):
        steps.append(Step("replace", "trunk", line.number, trunk.sip_trunk_id, fields))
    if rule is None:
        steps.append(Step("create", "rule", line.number))
    else:
        whole = line.rule_of(trunk.sip_trunk_id if trunk else "")
        if fields := _different(whole, rule):
            steps.append(Step("replace", "rule", line.number, rule.sip_dispatch_rule_id, fields))
    return steps


def _own(
    infos: Sequence[Info], numbers: Mapping[str, Wanted]
) -> tuple[dict[str, Info], list[Info]]:
    """Ours by number, and ours that no line needs: of a removed line, or a second of the same."""
    kept: dict[str, Info] = {}
    spare = []
    for info in infos:
        if not info.name.startswith(MARK):
            continue
        number = _number(info.name)
        if number in numbers and number not in kept:
            kept[number] = info
        else:
            spare.append(info)
    return kept, spare


def _different(wanted: Info, found: Info) -> tuple[str, ...]:
    """Names of the fields that differ, but for those that the server writes."""
    names = [field.name for field in wanted.DESCRIPTOR.fields]
    return tuple(
        name
        for name in names
        if name not in SERVERS_FIELDS and getattr(wanted, name) != getattr(found, name)
    )


def _conflicts(numbers: Mapping[str, Wanted], found: Found) -> tuple[str, ...]:
    """Objects of others that take our calls; we do not touch what is not ours."""
    own_trunks = {each.sip_trunk_id for each in found.trunks if each.name.startswith(MARK)}
    messages = []
    for trunk in found.trunks:
        if trunk.name.startswith(MARK):
            continue
        for number in sorted(set(map(normal, trunk.numbers)) & numbers.keys()):
            messages.append(f"trunk {trunk.sip_trunk_id} {trunk.name!r} already has {number}")
    for rule in found.rules:
        if not rule.name.startswith(MARK) and own_trunks & set(rule.trunk_ids):
            messages.append(
                f"dispatch rule {rule.sip_dispatch_rule_id} {rule.name!r} names one of our trunks"
            )
    return tuple(messages)


def _warnings(found: Found) -> tuple[str, ...]:
    return tuple(
        f"dispatch rule {rule.sip_dispatch_rule_id} {rule.name!r} names no trunk: "
        "it answers every caller from anywhere"
        for rule in found.rules
        if not rule.trunk_ids
    )


def normal(number: str) -> str:
    """A number as livekit-server compares it (protocol livekit/sip.go, NormalizeNumber)."""
    if not re.fullmatch(r"\+?[\d\- ()]+", number):
        return number
    return "+" + re.sub(r"[+\- ()]", "", number)


def _number(name: str) -> str:
    return name.removeprefix(MARK)


def _id(info: SIPInboundTrunkInfo | SIPDispatchRuleInfo) -> str:
    return info.sip_trunk_id if isinstance(info, SIPInboundTrunkInfo) else info.sip_dispatch_rule_id

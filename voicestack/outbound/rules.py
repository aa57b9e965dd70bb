"""Who may be called and when: every refusal happens before any packet is sent."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Literal

from voicestack.lines.model import Digest

Transport = Literal["udp", "tcp", "tls"]

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
# Numbers that save lives: never dialled by a machine. They are short, or a country code and short.
EMERGENCY = re.compile(r"\+?(?:[0-9]{1,3})?(?:000|11[0-9]|122|19[0-3]|911|999)")
# Premium and shared-cost ranges, as toll fraud uses them: national plans under ITU-T E.164.
PREMIUM = (
    *("+1900", "+1976", "+449", "+44871", "+44872", "+44873", "+49900", "+49137", "+3389"),
    *("+39899", "+34803", "+34806", "+34807", "+43900", "+43930", "+41900", "+41901", "+41906"),
    *("+31900", "+31906", "+31909", "+32900", "+979", "+881", "+882", "+883"),
)


@dataclass(frozen=True, slots=True)
class Trunk:
    """One way out: a carrier or PBX."""

    name: str
    address: str  # host[:port]
    transport: Transport
    caller: str  # number that the called side sees
    digest: Digest | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the lines file allows. Without an allow-list nothing may be called."""

    trunks: tuple[Trunk, ...] = ()
    allow: tuple[str, ...] = ()
    do_not_call: frozenset[str] = frozenset()
    quiet_from: time | None = None
    quiet_until: time | None = None
    per_hour: int = 20
    per_day: int = 100


@dataclass(frozen=True, slots=True)
class Facts:
    """What was dialled so far."""

    last_hour: int
    last_day: int
    number_is_being_called: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a number is not called. `code` is for programs."""

    code: str
    reason: str
    hint: str


def judge(number: str, rules: Rules, facts: Facts, now: datetime) -> Refusal | None:
    """Return why not, the gravest reason first; None: it may be called."""
    return (
        _never(number)
        or _not_allowed(number, rules)
        or _not_now(rules, now)
        or _not_again(rules, facts)
    )


def _never(number: str) -> Refusal | None:
    if EMERGENCY.fullmatch(number):
        return Refusal("emergency", f"{number} is an emergency number", "dial it on a telephone")
    if not E164.fullmatch(number):
        seen = f"{number!r} is no E.164 number"
        return Refusal("invalid number", seen, "+, country code and number, without spaces")
    if number.startswith(PREMIUM):
        return Refusal("premium", f"{number} costs extra", "no setting allows premium numbers")
    return None


def _not_allowed(number: str, rules: Rules) -> Refusal | None:
    where = "see `outbound` in sip/lines.yaml"
    if not rules.trunks:
        return Refusal("no trunk", "no way out is configured", where)
    if number in rules.do_not_call:
        return Refusal("do not call", f"{number} is on the do-not-call list", where)
    if not number.startswith(rules.allow or ("none",)):
        shown = ", ".join(rules.allow) or "no number at all"
        return Refusal("not allowed", f"{number} is not among {shown}", where)
    return None


def _not_now(rules: Rules, now: datetime) -> Refusal | None:
    start, end = rules.quiet_from, rules.quiet_until
    if start is None or end is None:
        return None
    at = now.time()
    quiet = start <= at < end if start <= end else at >= start or at < end
    if not quiet:
        return None
    hours = f"{start:%H:%M}-{end:%H:%M}"
    return Refusal("quiet hours", f"it is {at:%H:%M}, quiet hours are {hours}", f"call after {end}")


def _not_again(rules: Rules, facts: Facts) -> Refusal | None:
    if facts.number_is_being_called:
        return Refusal("in progress", "this number is being called already", "wait for its end")
    if facts.last_hour >= rules.per_hour:
        seen = f"{facts.last_hour} calls in the last hour, {rules.per_hour} is the most"
        return Refusal("hourly cap", seen, "wait, or raise outbound.per_hour")
    if facts.last_day >= rules.per_day:
        seen = f"{facts.last_day} calls in the last day, {rules.per_day} is the most"
        return Refusal("daily cap", seen, "wait, or raise outbound.per_day")
    return None


def trunk_for(rules: Rules, name: str) -> Trunk | None:
    """The trunk of this name, or the first."""
    named: Sequence[Trunk] = [each for each in rules.trunks if name in {"", each.name}]
    return named[0] if named else None

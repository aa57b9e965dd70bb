"""Plans: only what differs, only what is ours, rules always bound to their trunk."""

from dataclasses import replace
from ipaddress import IPv4Network

import pytest
from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo

from voicestack.lines.model import Digest, Line
from voicestack.lines.plan import Found, diff, normal
from voicestack.lines.wanted import Networks, wanted

LINE = Line(
    number="+15550100",
    agent="receptionist",
    sources=("this-machine", "lan"),
    digest=None,
    room="call-",
    metadata="{}",
    hide_number=True,
    ring_timeout_s=20,
    max_call_minutes=30,
    where="lines.yaml:3",
)
NETWORKS = Networks(
    this_machine=(IPv4Network("127.0.0.0/8"), IPv4Network("192.168.7.20/32")),
    lan=(IPv4Network("192.168.7.0/24"),),
)
WANTED = wanted(LINE, NETWORKS)


def trunk(**changes: object) -> SIPInboundTrunkInfo:
    made = SIPInboundTrunkInfo()
    made.CopyFrom(WANTED.trunk)
    made.sip_trunk_id = "ST_1"
    made.MergeFrom(SIPInboundTrunkInfo(**changes))  # type: ignore[arg-type]
    return made


def rule(trunk_id: str = "ST_1", **changes: object) -> SIPDispatchRuleInfo:
    made = WANTED.rule_of(trunk_id)
    made.sip_dispatch_rule_id = "SDR_1"
    made.MergeFrom(SIPDispatchRuleInfo(**changes))  # type: ignore[arg-type]
    return made


def steps(found: Found, *lines: Line) -> list[str]:
    plan = diff([wanted(line, NETWORKS) for line in lines or (LINE,)], found)
    return [f"{step.verb} {step.kind} {step.id}".strip() for step in plan.steps]


def test_nothing_there() -> None:
    """The trunk first: the rule names it."""
    assert steps(Found([], [])) == ["create trunk", "create rule"]


def test_nothing_to_do() -> None:
    """What the server adds of its own is no difference."""
    there = trunk()
    there.created_at.GetCurrentTime()
    assert steps(Found([there], [rule()])) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"sources": ("lan",)}, ["replace trunk ST_1"]),
        ({"ring_timeout_s": 21}, ["replace trunk ST_1"]),
        ({"max_call_minutes": 31}, ["replace trunk ST_1"]),
        ({"digest": Digest("a", "b" * 20)}, ["replace trunk ST_1"]),
        ({"agent": "bob"}, ["replace rule SDR_1"]),
        ({"room": "desk-"}, ["replace rule SDR_1"]),
        ({"metadata": "x"}, ["replace rule SDR_1"]),
        ({"hide_number": False}, ["replace rule SDR_1"]),
        (
            {"number": "+15550101"},
            ["delete rule SDR_1", "delete trunk ST_1", "create trunk", "create rule"],
        ),
    ],
)
def test_only_what_differs_is_touched(change: dict[str, object], expected: list[str]) -> None:
    """A change of one half leaves the other alone; calls under way do not notice."""
    line = replace(LINE, **change)  # type: ignore[arg-type]
    assert steps(Found([trunk()], [rule()]), line) == expected


def test_a_lost_trunk_takes_its_rule_along() -> None:
    """Ids change when Redis forgets: the rule is bound anew."""
    assert steps(Found([], [rule("ST_gone")])) == ["create trunk", "replace rule SDR_1"]
    assert steps(Found([trunk()], [])) == ["create rule"]
    assert steps(Found([trunk()], [rule("ST_other")])) == ["replace rule SDR_1"]


def test_a_second_of_ours_is_removed() -> None:
    """Two of a kind would be "Multiple SIP Trunks matched" for every call."""
    second = trunk()
    second.sip_trunk_id = "ST_2"
    assert steps(Found([trunk(), second], [rule()])) == ["delete trunk ST_2"]


def test_what_is_not_ours_stays() -> None:
    """Neither trunks nor rules without our mark are ever part of a step."""
    foreign = SIPInboundTrunkInfo(sip_trunk_id="ST_f", name="pbx", numbers=["+4930123456"])
    theirs = SIPDispatchRuleInfo(sip_dispatch_rule_id="SDR_f", name="pbx", trunk_ids=["ST_f"])
    plan = diff([WANTED], Found([trunk(), foreign], [rule(), theirs]))
    assert (plan.steps, plan.conflicts, plan.warnings) == ((), (), ())


@pytest.mark.parametrize("number", ["+15550100", "15550100", "+1 555-0100", "(1) 555 0100"])
def test_a_number_that_others_hold_is_a_conflict(number: str) -> None:
    """In whatever way it is written."""
    foreign = SIPInboundTrunkInfo(sip_trunk_id="ST_f", name="pbx", numbers=[number])
    (conflict,) = diff([WANTED], Found([foreign], [])).conflicts
    assert "ST_f" in conflict


def test_a_rule_of_others_on_our_trunk_is_a_conflict() -> None:
    """It would answer our callers."""
    theirs = SIPDispatchRuleInfo(sip_dispatch_rule_id="SDR_f", name="x", trunk_ids=["ST_1"])
    (conflict,) = diff([WANTED], Found([trunk()], [theirs])).conflicts
    assert "SDR_f" in conflict


def test_a_rule_without_trunk_is_warned_about() -> None:
    """livekit/sip #460: it answers anybody."""
    (warning,) = diff([], Found([], [SIPDispatchRuleInfo(sip_dispatch_rule_id="SDR_f")])).warnings
    assert "SDR_f" in warning


def test_rules_always_name_one_trunk() -> None:
    """The lint of the checklist, item 22."""
    assert list(WANTED.rule_of("ST_9").trunk_ids) == ["ST_9"]


def test_words_become_networks() -> None:
    """An address within a network is not listed twice."""
    assert list(WANTED.trunk.allowed_addresses) == ["127.0.0.0/8", "192.168.7.0/24"]


def test_no_network_lets_nobody_in() -> None:
    """For LiveKit an empty list means everybody."""
    empty = Networks((), ())
    assert empty.masks(("lan",)) == ["0.0.0.0/32"]
    assert empty.masks(()) == []


def test_a_password_alone_needs_no_address() -> None:
    """Digest from anywhere, or from a network only."""
    line = replace(LINE, sources=(), digest=Digest("desk", "s" * 20))
    made = wanted(line, NETWORKS).trunk
    assert (list(made.allowed_addresses), made.auth_username) == ([], "desk")


def test_numbers_are_compared_as_the_server_does() -> None:
    """What is no number stays as it is."""
    assert normal("0800 flowers") == "0800 flowers"
    assert normal("1-555 (01)00") == "+15550100"

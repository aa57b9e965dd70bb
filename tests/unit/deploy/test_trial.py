"""The line of a test call."""

import json
from types import SimpleNamespace
from typing import cast

from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo

from voicestack.deploy.trial import MARK, Trial, rule_of
from voicestack.lines.plan import Found, diff
from voicestack.office import Office


def rule(agent: str) -> SIPDispatchRuleInfo:
    office = cast("Office", SimpleNamespace(settings=SimpleNamespace(agent_name="receptionist")))
    return rule_of(office, Trial(agent, "agent-b", "1"), "trial-1a2b", "ST_1")


def test_it_asks_for_one_slot() -> None:
    """The worker of all agents is asked, for this agent, in this slot."""
    (job,) = rule("sales").room_config.agents
    assert job.agent_name == "receptionist"
    assert json.loads(job.metadata) == {"agent": "sales", "line": "trial", "trial": "agent-b"}
    assert rule("receptionist").trunk_ids == ["ST_1"]


def test_the_lines_file_leaves_it_alone() -> None:
    """control takes away what it made itself, and warns of rules that let anybody in."""
    trunk = SIPInboundTrunkInfo(
        sip_trunk_id="ST_1", name=MARK + "trial-1a2b", numbers=["trial-1a2b"]
    )
    plan = diff([], Found([trunk], [rule("receptionist")]))
    assert (plan.steps, plan.conflicts, plan.warnings) == ((), (), ())

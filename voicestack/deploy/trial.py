"""The test call of a deploy: a telephone of ours, through every server, to the new worker alone.

For its length there is a line that only this machine can call, whose job names the slot of the new
worker: that one takes no other call yet, and the one on duty does not take this one
(voice_agent/duty.py).
"""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from livekit.protocol.room import RoomConfiguration
from livekit.protocol.sip import (
    CreateSIPDispatchRuleRequest,
    CreateSIPInboundTrunkRequest,
    DeleteSIPDispatchRuleRequest,
    DeleteSIPTrunkRequest,
    ListSIPDispatchRuleRequest,
    ListSIPInboundTrunkRequest,
    SIPDispatchRule,
    SIPDispatchRuleCallee,
    SIPDispatchRuleInfo,
    SIPInboundTrunkInfo,
)

from voicestack.errors import VoicestackError
from voicestack.lines.wanted import DEPARTURE_TIMEOUT_S, EMPTY_TIMEOUT_S, request_for
from voicestack.office import Office, OfficeError
from voicestack.phone.conversation import CallReport, Plan, Utterance, converse
from voicestack.phone.phone import Phone

LOOPBACK = "127.0.0.1"
# Not the mark of the lines file (voicestack/lines/wanted.py): control would take them away.
MARK = "voicestack-trial:"
# Shown as the line in the history of calls; no number can be spelt so.
LINE = "trial"
# A version that takes longer to answer is not wanted; a busy machine needs some of it.
RING_S = 15.0
LINE_TRIES = 4
# control writes what a call reports within moments.
RECORDED_S = 10.0


class TrialError(VoicestackError):
    """The new version did not do what a caller needs."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What to prove: this agent, by the worker in this slot, which runs this version."""

    agent: str
    slot: str
    version: str


async def prove(
    office: Office, trial: Trial, utterances: Sequence[Utterance], tell: Callable[[str], None]
) -> CallReport:
    """Call the new worker; raises unless it greets, answers, and is the one that answered."""
    async with line(office, trial) as number, Phone(user=f"trial-{secrets.token_hex(3)}") as phone:
        server = (LOOPBACK, office.ports["sip"])
        plan = Plan(ring_timeout_s=RING_S)
        report = await converse(server, number, utterances, phone=phone, plan=plan, tell=tell)
    if not report.ok:
        seen = report.reason or report.outcome
        if report.outcome == "completed":
            seen = "the greeting or a reply was not heard"
        raise TrialError(
            f"test call of {trial.agent}: {seen}", hint="`scripts/logs.py agent` tells more"
        )
    record = await recorded(office, number, len(utterances))
    if (record.get("version"), record.get("agent")) != (trial.version, trial.agent):
        raise TrialError(
            f"test call of {trial.agent}: answered by {record.get('agent')} "
            f"{record.get('version')}, not by {trial.version}",
            hint="does the new worker run the new code? `scripts/list_workers.py`",
        )
    if len(record.get("turns", [])) < len(utterances):
        raise TrialError(
            f"test call of {trial.agent}: it spoke, but answered no question: an apology?",
            hint="`make doctor` tells which model server is ill",
        )
    return report


@asynccontextmanager
async def line(office: Office, trial: Trial) -> AsyncIterator[str]:
    """A number that leads to the worker of a slot, for as long as the block lasts."""
    try:
        yield await made_line(office, trial)
    finally:
        with contextlib.suppress(OfficeError):  # the next deploy takes it away
            await remove_lines(office)


async def made_line(office: Office, trial: Trial) -> str:
    """Make the line; on a busy machine livekit may not answer in time at first."""
    for tries_left in reversed(range(LINE_TRIES)):
        number = f"trial-{secrets.token_hex(4)}"
        try:
            await make_line(office, trial, number)
        except OfficeError:
            if not tries_left:
                raise
            await asyncio.sleep(1.0)
        else:
            break
    return number


async def make_line(office: Office, trial: Trial, number: str) -> None:
    """Trunk and rule of one number."""
    async with office.livekit() as client:
        trunk = SIPInboundTrunkInfo(
            name=MARK + number, numbers=[number], allowed_addresses=["127.0.0.0/8"]
        )
        made = await client.sip.create_inbound_trunk(CreateSIPInboundTrunkRequest(trunk=trunk))
        rule = rule_of(office, trial, number, made.sip_trunk_id)
        await client.sip.create_dispatch_rule(CreateSIPDispatchRuleRequest(dispatch_rule=rule))


def rule_of(office: Office, trial: Trial, number: str, trunk_id: str) -> SIPDispatchRuleInfo:
    """What the call finds: a room of its own, and a job for the slot."""
    metadata = json.dumps({"line": LINE, "trial": trial.slot})
    return SIPDispatchRuleInfo(
        name=MARK + number,
        trunk_ids=[trunk_id],
        rule=SIPDispatchRule(
            dispatch_rule_callee=SIPDispatchRuleCallee(room_prefix=number, randomize=True)
        ),
        attributes={"voicestack.line": LINE},
        room_config=RoomConfiguration(
            empty_timeout=EMPTY_TIMEOUT_S,
            departure_timeout=DEPARTURE_TIMEOUT_S,
            agents=[request_for(trial.agent, office.settings.agent_name, metadata)],
        ),
    )


async def remove_lines(office: Office) -> None:
    """Take away every line of a test call, also of a deploy that died."""
    async with office.livekit() as client:
        rules = await client.sip.list_dispatch_rule(ListSIPDispatchRuleRequest())
        for rule in rules.items:
            if rule.name.startswith(MARK):
                await client.sip.delete_dispatch_rule(
                    DeleteSIPDispatchRuleRequest(sip_dispatch_rule_id=rule.sip_dispatch_rule_id)
                )
        trunks = await client.sip.list_inbound_trunk(ListSIPInboundTrunkRequest())
        for trunk in trunks.items:
            if trunk.name.startswith(MARK):
                await client.sip.delete_trunk(
                    DeleteSIPTrunkRequest(sip_trunk_id=trunk.sip_trunk_id)
                )


async def recorded(office: Office, number: str, turns: int) -> dict[str, Any]:
    """The record of the call in the history, once it says who answered and how often.

    Its end is not waited for: livekit-sip's word of it can be lost (voice_agent/occupancy.py).
    """
    deadline = time.monotonic() + RECORDED_S
    found: dict[str, Any] = {}
    while True:
        with contextlib.suppress(OfficeError):  # it may be busy; the deadline stands
            calls = (await office.control("/calls?limit=50"))["calls"]
            for call in calls:
                if call["room"].startswith(number):
                    found = dict(call)
            if found.get("version") and len(found["turns"]) >= turns:
                return found
        if time.monotonic() > deadline:
            if found:
                return found
            raise TrialError(
                "the test call is not in the history of calls",
                hint="`scripts/logs.py control` tells more",
            )
        await asyncio.sleep(0.2)

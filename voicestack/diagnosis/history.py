"""A call of the past, from the logs alone: which leg broke, and why."""

import asyncio
import re
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from voicestack.deploy.releases import SLOTS
from voicestack.diagnosis import logs
from voicestack.diagnosis.evidence import BEGINNINGS, CallLog, follow
from voicestack.diagnosis.explain import explain
from voicestack.diagnosis.judge_call import Facts, is_elsewhere
from voicestack.diagnosis.judge_call import judge as judge_evidence
from voicestack.diagnosis.model import CannotTellError, Check, Context, Finding, Unknown, Verdict

# The gateway's words for a call that no trunk or rule wants; it has nothing to do with rate.
DROPPED = "flood"
# What a carrier answered to a call of ours (livekit-sip 1.8.0, pkg/sip/errors.go).
STATUS = re.compile(r"sip status: (\d{3})")
# Nobody there, busy, cancelled, declined: the called side's own doing (RFC 3261 21.4 and 21.6).
NO_FAULT = {404, 480, 486, 487, 600, 603}


@dataclass(frozen=True, slots=True)
class Past:
    """One call of the logs, and what the lines file says of it today."""

    log: CallLog
    clause: str = ""  # code of the clause that refuses it; empty: it would be let in
    to_source: bool = False  # the gateway answers to where audio comes from, whatever SDP says


async def look(context: Context, wanted: str) -> Past:
    """The newest call, or the one whose id, room or Call-ID is `wanted`."""
    log = await asyncio.to_thread(_find, context, wanted)
    if log is None:
        raise CannotTellError(
            "no such call in the log of sip" if wanted else "the log of sip has no call",
            "LOG_LEVEL=info or debug is needed for calls to be written down",
        )
    clause = ""
    if log.source:
        loopback = context.settings.listen == "loopback"
        told = explain(context.lines, log.callee, IPv4Address(log.source), loopback=loopback)
        clause = "" if told.accepted else told.code
    # sip/sip.yaml.j2, ignore_local_addr_in_sdp
    return Past(log, clause, to_source=context.settings.listen == "lan")


def _find(context: Context, wanted: str) -> CallLog | None:
    sip = list(logs.read(context.log_file("sip")))
    others = [line for name in ("livekit", *SLOTS) for line in logs.read(context.log_file(name))]
    ids = {
        line.get("sipCallID")
        for line in sip
        if wanted in {line.get("callID"), line.get("sipCallID"), line.get("room")}
    }
    return follow(sip, others, lambda line: not wanted or line.get("sipCallID") in ids)


def judge(past: Past) -> Verdict:
    """By the gateway's own reason first, then like a call of our own."""
    log = past.log
    if log.outbound and not log.accepted:
        return _not_picked_up(log)
    if log.reason == DROPPED and not log.room:
        seen = "the gateway dropped it without an answer (its log says flood)"
        return [Finding(past.clause or "LIN099", seen)]
    if log.challenged and not log.room:
        return [Finding("LIN008", "a password was asked for, and no right one came")]
    if log.accepted and is_elsewhere(log) and not past.to_source:
        seen = f"the voice was sent to {log.destination}, the call came from {log.source}"
        return [Finding("MED007", seen)]
    facts = Facts(outcome="answered" if log.accepted else "no answer", log=log)
    if log.turns:
        facts = replace(facts, replied=True)
    elif log.accepted and log.counters and log.counters.published:
        return list(judge_evidence(facts)) or [Unknown("the caller said nothing that was answered")]
    return judge_evidence(facts)


def _not_picked_up(log: CallLog) -> Verdict:
    """A call of ours: a refusal of the carrier is a fault, one of the called side is none."""
    told = STATUS.search(log.refused)
    if told is None:
        why = f"a call of ours was not answered: {log.refused or log.reason or 'no word'}"
        return [Unknown(why, "`scripts/make_call.py NUMBER --wait` tells more of the next")]
    status = int(told[1])
    if status in NO_FAULT:
        return []
    return [Finding("SIP008", f"it answered {status} to our INVITE")]


async def look_registering(context: Context) -> int:
    """REGISTERs that the gateway turned away since the last call."""
    count = 0
    for line in await asyncio.to_thread(lambda: list(logs.read(context.log_file("sip")))):
        phrase = line.get("msg")
        if phrase in BEGINNINGS:
            count = 0
        elif phrase == "Inbound SIP request not handled" and line.get("method") == "REGISTER":
            count += 1
    return count


def judge_registering(count: int) -> Verdict:
    """The gateway takes calls, and registers nobody."""
    return [Finding("SIP005", f"{count} REGISTER answered 405 since the last call")] * bool(count)


REGISTERING = Check(
    "registering",
    "SIP",
    "phones that register",
    look_registering,
    judge_registering,
    ("settings", "volumes"),
)


def checks_of(wanted: str) -> tuple[Check, ...]:
    """The call, and for the last one what came after it."""
    return (check_of(wanted),) if wanted else (check_of(wanted), REGISTERING)


def check_of(wanted: str) -> Check:
    """One check that looks at one call."""

    async def look_at(context: Context) -> Past:
        return await look(context, wanted)

    return Check(
        "past call", "conversation", "a call of the past", look_at, judge, ("lines file", "volumes")
    )

"""From the evidence of one call to its cause: own calls and calls of the past alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

from voicestack.diagnosis.evidence import CallLog
from voicestack.diagnosis.model import Finding, Unknown, Verdict
from voicestack.diagnosis.rooms import Room

# docs: sip pkg/sip/inbound.go and server pkg/service/ioservice_sip.go; what a refusal means.
BY_STATUS: Mapping[int, str] = {
    400: "MED002",
    401: "LIN008",
    405: "SIP005",
    407: "LIN008",
    488: "MED002",
    500: "SIP004",
    503: "SIP003",
}
# "Temporarily unavailable" and "busy here": the gateway was told to give up waiting for an agent.
NOBODY = (480, 486)
# sip pkg/sip/inbound.go, reasons of a call's end that name their cause by themselves.
BY_REASON: Mapping[str, str] = {
    "no-common-codec": "MED002",
    "media-failed": "SIP004",
    "media-timeout": "MED008",
    "no-ack": "MED009",
    "auth-error": "SIP003",
    "unauthorized": "LIN008",
    "participant-failed": "SIP007",
}
BY_STAGE: Mapping[str, str] = {"stt": "STT099", "llm": "LLM099", "tts": "TTS099"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the phone saw and what the services wrote. None: nobody looked."""

    outcome: str = ""  # answered, refused, no answer, unusable
    status: int | None = None
    text: str = ""
    sdp_address: str = ""
    expected_address: str = ""
    packets: int | None = None  # of RTP that reached the phone
    greeted: bool | None = None
    replied: bool | None = None
    cut: bool = False
    room: Room | None = None
    log: CallLog | None = None
    own_worker: str = ""


def judge(facts: Facts) -> Verdict:
    """Walk the call; the first leg that is broken is the cause."""
    if facts.outcome == "refused":
        return [_refused(facts)]
    if facts.outcome == "no answer":
        return [_ringing(facts)]
    if facts.outcome == "unusable":
        return [Finding("MED002", facts.text)]
    return _answered(facts)


def _refused(facts: Facts) -> Finding:
    code = BY_STATUS.get(facts.status or 0)
    seen = f"INVITE was answered {facts.status}"
    if facts.status in NOBODY and facts.log is not None:
        return _from_log_alone(facts.log)
    return Finding(code or "SIP099", seen)


def _ringing(facts: Facts) -> Finding:
    """Nobody answered: was there a room, an order for an agent, a job, an agent, its sound?"""
    room, log = facts.room, facts.log
    if log is None:
        return Finding("SIP006", facts.text)
    if closed := _by_reason(log):
        return closed
    if not log.room and not log.trunk:
        return Finding("LIN099", "the gateway took the INVITE and put it into no room")
    if room is None:
        return _from_log_alone(log)
    return _of_room(facts, room, log)


def _of_room(facts: Facts, room: Room, log: CallLog) -> Finding:
    if not room.dispatches:
        return Finding("DSP001", "the room has no dispatch")
    if not room.jobs and not log.job_worker:
        return Finding("DSP002", "the dispatch has no job")
    workers = {job.worker for job in room.jobs if job.worker} | {log.job_worker} - {""}
    if facts.own_worker and workers and facts.own_worker not in workers:
        return Finding("WRK005", f"the job went to {', '.join(sorted(workers))}")
    for job in room.jobs:
        if job.failed:
            return Finding("DSP003", job.error or "without a word")
    if log.job_error:
        return Finding("DSP003", log.job_error)
    if not room.agents:
        return Finding("DSP004", "job assigned, no agent among the participants")
    if not room.agent_tracks:
        return Finding("DSP005", "agent present, no audio track of it")
    return Finding("DSP099", "agent present with an audio track")


def _from_log_alone(log: CallLog) -> Finding:
    """A call of the past: its room is gone."""
    if closed := _by_reason(log):
        return closed
    if log.no_worker:
        return Finding("DSP002", "livekit-server had no worker for it")
    if log.job_error:
        return Finding("DSP003", log.job_error)
    if not log.job_worker:
        return Finding("DSP002", "livekit-server writes of no job that it gave away")
    return Finding("DSP099", "a job was given and the phone not answered")


def _answered(facts: Facts) -> Verdict:
    log = facts.log
    if found := _before_any_sound(facts):
        return [found]
    if facts.packets == 0 or _heard_nothing(facts):
        return [_no_audio(facts)]
    if log is not None and log.failed_stages:
        stage = _failed_stage(log)
        which = f"stage {stage}" if stage in BY_STAGE else "no stage says that it failed"
        return [Finding(BY_STAGE.get(stage, "AUD099"), f"the worker apologised: {which}")]
    if facts.replied:
        return []
    if log is not None and (closed := _by_reason(log)):
        return [closed]
    if facts.greeted is False:
        return [Finding("AUD001", f"{facts.packets} packets without sound")]
    if facts.replied is None:
        return [] if log is not None and log.turns else [Unknown("nobody listened to this call")]
    if facts.cut:
        return [Finding("AUD003", "the far end hung up while we waited")]
    return [Finding("AUD099", "greeting heard, no reply, no stage complained")]


def _before_any_sound(facts: Facts) -> Finding | None:
    """What counters could not explain: what never began has no sound either."""
    log = facts.log
    if wrong := _wrong_address(facts):
        return wrong
    if facts.room is not None and facts.room.agents > 1:
        return Finding("DSP006", f"{facts.room.agents} agents in the room")
    if log is not None and log.died:
        return Finding("DSP007", f"it {log.died}")
    return _by_reason(log) if log is not None and log.reason == "no-ack" else None


def _by_reason(log: CallLog) -> Finding | None:
    """The gateway's own word for the end of a call, where it names the cause."""
    if log.reason not in BY_REASON:
        return None
    detail = f" ({log.shut_out})" if log.shut_out else ""
    return Finding(BY_REASON[log.reason], f"the gateway closed it: {log.reason}{detail}")


def _failed_stage(log: CallLog) -> str:
    """The stage of the first apology; what failed early tells where that does not."""
    named = [each for each in (*log.failed_stages, *log.early_failures) if each != "reply"]
    return named[0] if named else "reply"


def _heard_nothing(facts: Facts) -> bool:
    """The gateway heard nothing of the caller, or passed nothing on, and so no answer came."""
    counters = facts.log.counters if facts.log else None
    return bool(
        counters and not facts.replied and (not counters.frames_in or not counters.published)
    )


def _no_audio(facts: Facts) -> Finding:
    """By the counters of both ends."""
    counters = facts.log.counters if facts.log else None
    if counters is None:
        return Finding("MED099", "no packet reached the phone, the gateway left no counters")
    if facts.log and is_elsewhere(facts.log) and not facts.packets:
        seen = f"the gateway sends to {facts.log.destination}"
        return Finding("MED007", f"{seen}, the call came from {facts.log.source}")
    if facts.packets == 0 and not counters.packets_in:
        return Finding("MED005", "neither end received a packet of the other")
    if facts.packets == 0 and counters.frames_out:
        return Finding("MED003", f"{counters.frames_out} frames sent, none arrived")
    if not counters.packets_in:
        return Finding("MED004", "the gateway received no packet of the phone")
    if not counters.frames_in:
        return Finding("MED010", f"{counters.packets_in} packets came, none could be decoded")
    if not counters.published:
        return Finding("MED099", f"{counters.frames_in} frames came, none was published")
    return Finding("MED099", "packets were counted on both ways")


def _wrong_address(facts: Facts) -> Finding | None:
    if not facts.sdp_address or facts.sdp_address == facts.expected_address:
        return None
    seen = f"the gateway's SDP says {facts.sdp_address}, phones reach {facts.expected_address}"
    return Finding("MED001", seen)


def is_elsewhere(log: CallLog) -> bool:
    """True if the voice goes to a private address that is not where the call came from."""
    try:
        target = IPv4Address(log.destination.rpartition(":")[0])
    except (AddressValueError, ValueError):
        return False
    return target.is_private and not target.is_loopback and str(target) != log.source

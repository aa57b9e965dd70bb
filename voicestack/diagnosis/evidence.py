"""What the services wrote of one call, by field. What was not written stays None."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from voicestack.diagnosis.logs import Line


@dataclass(frozen=True, slots=True)
class Counters:
    """livekit-sip's own counters (log line `call statistics`, sip pkg/sip/media.go)."""

    packets_in: int
    packets_ignored: int
    frames_in: int
    frames_out: int
    published: int
    tracks: int
    mixed_in: int


@dataclass(frozen=True, slots=True)
class CallLog:
    """One call in the logs of sip, livekit and agent."""

    sip_call_id: str = ""
    call_id: str = ""
    room: str = ""
    started_s: float | None = None
    source: str = ""
    caller: str = ""
    callee: str = ""
    trunk: str = ""
    rule: str = ""
    codec: str = ""
    destination: str = ""  # where the gateway sends the agent's voice
    outbound: bool = False  # we called
    accepted: bool = False  # 200 was sent, or came
    challenged: bool = False  # a password was asked for
    refused: str = ""  # of a call of ours: what the carrier answered
    shut_out: str = ""  # why the gateway could not enter the room
    reason: str = ""  # of the end, in the gateway's words
    counters: Counters | None = None
    job_worker: str = ""
    no_worker: bool = False
    job_error: str = ""
    died: str = ""  # how the process of the job ended, if it was not by itself
    answered: bool = False
    turns: int = 0
    failed_stages: tuple[str, ...] = ()  # one for each apology; "reply": which one is not known
    early_failures: tuple[str, ...] = ()  # stages of answers that were begun too early to count


def _set(**constant: Any) -> Callable[[CallLog, Line], CallLog]:
    return lambda call, _: replace(call, **constant)


def _invite(call: CallLog, line: Line) -> CallLog:
    return replace(
        call,
        sip_call_id=str(line.get("sipCallID", "")),
        call_id=str(line.get("callID", "")),
        started_s=float(line.get("ts", 0)) or None,
        source=str(line.get("fromIP", "")),
        caller=str(line.get("fromUser", "")),
        callee=str(line.get("toUser", "")),
    )


def _outgoing(call: CallLog, line: Line) -> CallLog:
    return replace(
        call,
        outbound=True,
        call_id=str(line.get("callID", "")),
        room=str(line.get("room", "")),
        started_s=float(line.get("ts", 0)) or None,
        callee=str(line.get("toUser", "")),
    )


def _room(call: CallLog, line: Line) -> CallLog:
    trunk, rule = str(line.get("sipTrunk", "")), str(line.get("sipRule", ""))
    return replace(call, room=str(line.get("room", "")), trunk=trunk, rule=rule)


def _ended(call: CallLog, line: Line) -> CallLog:
    return replace(call, reason=str(line.get("reason", "")))


def _counters(call: CallLog, line: Line) -> CallLog:
    stats: Mapping[str, Any] = line.get("stats") or {}
    port, room, mixer = (stats.get(key) or {} for key in ("port", "room", "mixer"))
    return replace(
        call,
        counters=Counters(
            packets_in=int(port.get("packets", 0)),
            packets_ignored=int(port.get("packets_ignored", 0)),
            frames_in=int(port.get("audio_in_frames", 0)),
            frames_out=int(port.get("audio_out_frames", 0)),
            published=int(room.get("published_frames", 0)),
            tracks=int(mixer.get("tracks_total", 0)),
            mixed_in=int(mixer.get("input_samples", 0)),
        ),
    )


def _job_ended(call: CallLog, line: Line) -> CallLog:
    """A job that ends with its call "fails" like this too (agent/worker.go): that is no error."""
    error = str(line.get("error", ""))
    failed = line.get("status") == "JS_FAILED" and error != "agent worker left the room"
    return replace(call, job_error=call.job_error or ((error or "failed") if failed else ""))


def _raised(call: CallLog, line: Line) -> CallLog:
    """The job's code ended with an exception; livekit-agents calls such a job a success."""
    told = str(line.get("exc_info", "")).strip().rpartition("\n")[2]
    return replace(call, job_error=told[:200] or "an exception")


def _failed(call: CallLog, line: Line) -> CallLog:
    """An empty reply is put down to the model; the voice may as well have said nothing of it."""
    stage = str(line.get("stage", "reply"))
    if line.get("reason") == "the reply was empty":
        stage = "reply"
    return replace(call, failed_stages=(*call.failed_stages, stage))


def _failed_early(call: CallLog, line: Line) -> CallLog:
    return replace(call, early_failures=(*call.early_failures, str(line.get("stage", ""))))


def _died(call: CallLog, line: Line) -> CallLog:
    """`process exited with non-zero exit code -9`: the number is part of the phrase."""
    return replace(call, died=str(line.get("message", "")).removeprefix("process "))


# How a call begins in the gateway's log.
BEGINNINGS: Mapping[str, Callable[[CallLog, Line], CallLog]] = {
    "processing invite": _invite,
    "Creating SIP participant": _outgoing,
}
# livekit-agents 1.7, ipc/supervised_proc.py.
DIED = "process exited with non-zero exit code"
# Phrases of livekit-sip 1.8.0, livekit-server 1.13.5 and our worker.
PHRASES: Mapping[str, Callable[[CallLog, Line], CallLog]] = {
    "processing invite": _invite,
    "Joining room": _room,
    "Cannot create LiveKit participant": lambda call, line: replace(
        call, shut_out=str(line.get("error", ""))
    ),
    "using codecs": lambda call, line: replace(call, codec=str(line.get("audio-codec", ""))),
    "setting media destination": lambda call, line: replace(
        call, destination=str(line.get("addr", ""))
    ),
    "changing media destination": lambda call, line: replace(
        call, destination=str(line.get("addr", ""))
    ),
    "Starting SIP invite authentication": _set(challenged=True),
    "Accepting the call": _set(accepted=True),
    "Outbound SIP call established": _set(accepted=True),
    "SIP invite failed": lambda call, line: replace(call, refused=str(line.get("error", ""))),
    "SIP call ended": _ended,
    "call statistics": _counters,
    "assigned job to worker": lambda call, line: replace(
        call, job_worker=str(line.get("workerID", ""))
    ),
    "job ended": _job_ended,
    "unhandled exception while running the job task": _raised,
    "call answered": _set(answered=True),
    "turn done": lambda call, _: replace(call, turns=call.turns + 1),
    "turn failed, caller hears an apology": _failed,
    "early answer failed, it is made anew": _failed_early,
}


def follow(
    sip: Iterable[Line], others: Iterable[Line], wanted: Callable[[Line], bool]
) -> CallLog | None:
    """The newest call whose first line fits `wanted`, with all that was written of it."""
    call: CallLog | None = None
    lines = list(sip)
    for line in lines:
        if (begin := BEGINNINGS.get(str(line.get("msg")))) and wanted(line):
            call = begin(CallLog(), line)
    if call is None:
        return None
    for line in lines:
        if line.get("sipCallID") == call.sip_call_id or line.get("callID") == call.call_id:
            call = _note(call, line)
    jobs: set[str] = set()
    for line in others:
        if call.room and line.get("room") == call.room:
            jobs.add(str(line.get("jobID", "")))
            call = _note_room(call, line)
        elif line.get("jobID") and line.get("jobID") in jobs:
            call = _note(call, line)
    return call


def _note(call: CallLog, line: Line) -> CallLog:
    # livekit-agents puts a traceback below the phrase as well as into a field.
    phrase = str(line.get("msg") or line.get("message") or "").partition("\n")[0]
    if phrase.startswith(DIED):
        return _died(call, line)
    note = PHRASES.get(phrase)
    return note(call, line) if note else call


def _note_room(call: CallLog, line: Line) -> CallLog:
    lost = "not dispatching agent job since no worker is available"
    if line.get("msg") == lost and line.get("jobType") == "JT_ROOM":
        return replace(call, no_worker=True)
    return _note(call, line)

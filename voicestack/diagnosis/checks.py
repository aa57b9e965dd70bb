"""Every check, by hand, in the order in which a call meets them."""

from voicestack.diagnosis.legs import (
    call,
    files,
    hearing,
    lines,
    processes,
    redis_,
    server,
    sip,
    speaking,
    thinking,
    tls,
    worker,
)
from voicestack.diagnosis.model import Check

LOOKS: tuple[Check, ...] = (
    *files.CHECKS,
    *processes.CHECKS,
    *redis_.CHECKS,
    *tls.CHECKS,
    *server.CHECKS,
    *sip.CHECKS,
    *lines.CHECKS,
    *worker.CHECKS,
    *hearing.CHECKS,
    *thinking.CHECKS,
    *speaking.CHECKS,
)
# Only when nothing else explains it: a probe that fails although every leg looks right.
READY = Check(
    "readiness",
    processes.LEG,
    "readiness of every service",
    processes.look_ready,
    processes.judge_ready,
    needs=tuple(check.name for check in LOOKS),
)
QUICK: tuple[Check, ...] = (*LOOKS, READY)
# A call tells nothing new where a leg that it needs is broken.
CALL = Check(
    "call",
    "conversation",
    "a call of our own",
    call.look,
    call.judge,
    needs=tuple(check.name for check in QUICK if check.name not in {"tls", "disk", "installed"}),
    limit_s=call.LIMIT_S,
)
ALL: tuple[Check, ...] = (*QUICK, CALL)

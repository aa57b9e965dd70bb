"""Every check, by hand, in the order in which a call meets them."""

from voicestack.diagnosis.legs import (
    call,
    containers,
    files,
    hearing,
    lines,
    names,
    page,
    processes,
    redis_,
    server,
    sip,
    sound,
    speaking,
    thinking,
    tls,
    ways,
    worker,
)
from voicestack.diagnosis.model import Check

LOOKS: tuple[Check, ...] = (
    files.CHECKS[0],
    *containers.CHECKS,
    *files.CHECKS[1:],
    *processes.CHECKS,
    *redis_.CHECKS,
    *names.CHECKS,
    *tls.CHECKS,
    *server.CHECKS,
    *ways.CHECKS,
    *page.CHECKS,
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
# Of what browsers need only the way that agents take too.
NOT_FOR_PHONES = {
    *(
        "containers",
        "volumes",
        "disk",
        "installed",
        "names",
        "tls",
        "tcp way",
        "relay",
        "relay over TLS",
        "page",
    ),
}
# A call tells nothing new where a leg that it needs is broken.
CALL = Check(
    "call",
    "conversation",
    "a call of our own",
    call.look,
    call.judge,
    needs=tuple(check.name for check in LOOKS if check.name not in NOT_FOR_PHONES),
    limit_s=call.LIMIT_S,
)
# Two clients beside the call: their sound takes other ports, and the time is the same.
ALL: tuple[Check, ...] = (*QUICK, sound.CHECK, CALL)

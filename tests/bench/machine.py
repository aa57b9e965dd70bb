"""Name the machine that a measurement was made on."""

import contextlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """What a figure depends on."""

    cpu: str
    cores: int
    memory_gib: float
    load_1min: float
    kernel: str


def phones_do_not_wait() -> None:
    """Let this thread, which sends and hears what a phone does, go before all others, as root.

    A phone is another machine. One that waits for a core behind the models sends late, and the
    agent's jitter buffer then holds back what it says, up to half a second for several seconds.
    Processes that are started from here are not favoured.
    """
    with contextlib.suppress(PermissionError):
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(1))


def look() -> Machine:
    """Ask the kernel."""
    info = Path("/proc/cpuinfo").read_text()
    models = [line.split(":", 1)[1].strip() for line in info.splitlines() if "model name" in line]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Machine(
        cpu=models[0] if models else platform.processor(),
        cores=os.cpu_count() or 1,
        memory_gib=round(memory, 1),
        load_1min=round(os.getloadavg()[0], 2),
        kernel=platform.release(),
    )

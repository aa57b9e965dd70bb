"""Name the machine that a measurement was made on."""

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

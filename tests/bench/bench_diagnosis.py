"""Count what the diagnosis says of a healthy stack: `python -m tests.bench.bench_diagnosis [MODE]`.

Real servers and models in a network of their own, as processes or (`--compose`) in containers; the
walk is the script itself, with its call. Needs root. Exit code 1 if any of the runs named a cause
or could not see something.
"""

import argparse
import contextlib
import dataclasses
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bench import machine
from tests.diagnosis import lab as labs
from tests.diagnosis.lab import DOMAIN, START_TIMEOUT_S, TURN_DOMAIN
from tests.diagnosis.servers import ACME, Served, authority
from tests.stack import doctor, world

RUNS = 20
MODES = {
    "lan": {"DOMAIN": "", "TURN_DOMAIN": ""},
    "public": {"DOMAIN": DOMAIN, "TURN_DOMAIN": TURN_DOMAIN, **ACME},
}
Report = dict[str, Any]
Diagnose = Callable[[bool], Report]


@contextlib.contextmanager
def processes(folder: Path, mode: str) -> Iterator[Diagnose]:
    """A whole stack; in public mode a certificate authority on the other machine signs for it."""
    environ = labs.environment(folder, **MODES[mode])
    with labs.machines(environ) as lab, contextlib.ExitStack() as stack:
        made = Served(lab, folder, environ)
        if mode == "public":
            stack.enter_context(authority(folder, lab.outside, lab.name))
        try:
            lab.run(sys.executable, "scripts/up.py", timeout_s=START_TIMEOUT_S)
            if mode == "public":
                made.until_certified()
            yield lambda quick: lab.diagnose(quick=quick)
        finally:
            lab.attempt(sys.executable, "scripts/down.py", "--now")


@contextlib.contextmanager
def containers(folder: Path, mode: str) -> Iterator[Diagnose]:
    """The same by `docker compose up` on an engine of its own."""
    around = doctor.certified if mode == "public" else world.bare
    with world.running(folder, around) as stack:
        if mode == "public":
            doctor.await_certificates(stack)
        yield lambda quick: doctor.diagnosed(stack, *(["--quick"] if quick else []))


def measured(where: str, mode: str, runs: int) -> Report:
    """Findings and seconds of so many walks in a row, whole and quick."""
    running = containers if where == "containers" else processes
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), mode) as diagnose:
        whole, quick = ([diagnose(brief) for _ in range(runs)] for brief in (False, True))
    both = whole + quick
    return {
        "stack": where,
        "mode": mode,
        "runs": runs,
        "findings": [f"{f['code']}: {f['seen']}" for r in both for f in r["findings"]],
        "unknown": [
            f"{c['check']}: {u['why']}" for r in both for c in r["checks"] for u in c["unknown"]
        ],
        "whole": seconds(whole),
        "quick": seconds(quick),
    }


def seconds(reports: list[Report]) -> dict[str, float]:
    """How long they took: the one in the middle, and the longest."""
    took_s = [report["took_s"] for report in reports]
    return {"p50_s": round(statistics.median(took_s), 1), "longest_s": max(took_s)}


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", nargs="?", choices=MODES)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--compose", action="store_true", help="containers, not processes")
    options = parser.parse_args()
    modes = [options.mode] if options.mode else list(MODES)
    where = "containers" if options.compose else "processes"
    results = [measured(where, mode, options.runs) for mode in modes]
    print(json.dumps({"machine": dataclasses.asdict(machine.look()), "healthy": results}, indent=2))
    return int(any(each["findings"] or each["unknown"] for each in results))


if __name__ == "__main__":
    sys.exit(main())

"""Count what the diagnosis says of a healthy stack: `python -m tests.bench.bench_diagnosis [MODE]`.

Real servers and models in a network of their own; the walk is the script itself, with its call.
Needs root. Exit code 1 if any of the runs named a cause or could not see something.
"""

import argparse
import contextlib
import dataclasses
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench import machine
from tests.diagnosis import lab as labs
from tests.diagnosis.lab import DOMAIN, START_TIMEOUT_S, TURN_DOMAIN, Lab
from tests.diagnosis.servers import ACME, Served, authority

RUNS = 20
MODES = {
    "lan": {"DOMAIN": "", "TURN_DOMAIN": ""},
    "public": {"DOMAIN": DOMAIN, "TURN_DOMAIN": TURN_DOMAIN, **ACME},
}


@contextlib.contextmanager
def running(folder: Path, mode: str) -> Iterator[Lab]:
    """A whole stack; in public mode a certificate authority on the other machine signs for it."""
    environ = labs.environment(folder, **MODES[mode])
    with labs.machines(environ) as lab, contextlib.ExitStack() as stack:
        made = Served(lab, folder, environ)
        if mode == "public":
            stack.enter_context(authority(made))
        try:
            lab.run(sys.executable, "scripts/up.py", timeout_s=START_TIMEOUT_S)
            if mode == "public":
                made.until_certified()
            yield lab
        finally:
            lab.attempt(sys.executable, "scripts/down.py", "--now")


def measured(mode: str, runs: int) -> dict[str, Any]:
    """Findings and seconds of so many walks in a row, whole and quick."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), mode) as lab:
        whole = [lab.diagnose() for _ in range(runs)]
        quick = [lab.diagnose(quick=True) for _ in range(runs)]
    both = whole + quick
    return {
        "mode": mode,
        "runs": runs,
        "findings": [each["code"] for report in both for each in report["findings"]],
        "unknown": [u["why"] for r in both for check in r["checks"] for u in check["unknown"]],
        "longest_whole_s": max(report["took_s"] for report in whole),
        "longest_quick_s": max(report["took_s"] for report in quick),
    }


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", nargs="?", choices=MODES)
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    modes = [options.mode] if options.mode else list(MODES)
    results = [measured(mode, options.runs) for mode in modes]
    print(json.dumps({"machine": dataclasses.asdict(machine.look()), "healthy": results}, indent=2))
    return int(any(each["findings"] or each["unknown"] for each in results))


if __name__ == "__main__":
    sys.exit(main())

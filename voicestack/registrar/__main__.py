"""`python -m voicestack.registrar ARGUMENTS...`: Kamailio, which leaves nothing behind.

Its main process is the parent of a dozen others, which hold ports and log and go on without it.
Here they end with it, however it ends; and those of a run that was killed together with this
program are ended before the next one.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import psutil

from voicestack.native import leftovers
from voicestack.native.services import KAMAILIO
from voicestack.native.supervisor import MARK


def main(arguments: Sequence[str]) -> int:
    """Run Kamailio until it ends or SIGTERM comes; its exit code."""
    _end_orphans()
    # A pipe of ours: orphans that held the supervisor's would look like a service that runs.
    kamailio = subprocess.Popen(
        [KAMAILIO, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert kamailio.stdout is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: kamailio.send_signal(number))
    threading.Thread(target=_pass_on, args=(kamailio.stdout,), daemon=True).start()
    code = kamailio.wait()
    _end_orphans()
    return code


def _pass_on(log: IO[bytes]) -> None:
    for line in log:
        sys.stderr.buffer.write(line)
        sys.stderr.flush()


def _end_orphans() -> None:
    if state := os.environ.get(MARK):
        leftovers.end([each for each in leftovers.find(Path(state)) if _is_kamailio(each)])


def _is_kamailio(process: psutil.Process) -> bool:
    try:
        return process.name() == Path(KAMAILIO).name
    except psutil.Error:  # ended meanwhile
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Processes that an earlier run of this stack left behind, after a crash of its supervisor."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from voicestack.native.supervisor import MARK

END_TIMEOUT_S = 5.0


def find(state: Path) -> list[psutil.Process]:
    """Return the processes that carry the mark of the stack with this state folder."""
    return list(_marked(str(state)))


def end(processes: list[psutil.Process]) -> None:
    """End them: politely, then not."""
    for process in processes:
        _quietly(process.terminate)
    _, stubborn = psutil.wait_procs(processes, timeout=END_TIMEOUT_S)
    for process in stubborn:
        _quietly(process.kill)
    psutil.wait_procs(stubborn, timeout=END_TIMEOUT_S)


def _marked(state: str) -> Iterator[psutil.Process]:
    own = psutil.Process().pid
    for process in psutil.process_iter():
        try:
            if process.pid != own and process.environ().get(MARK) == state:
                yield process
        except psutil.Error:
            continue  # ended meanwhile, or another user's


def _quietly(act: Callable[[], object]) -> None:
    with contextlib.suppress(psutil.Error):
        act()

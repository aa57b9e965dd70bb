"""The suite in two processes (`pytest -n 2 -p tests.parallel`): what shares a stack stays together.

Most of the time a test waits for speech, so two stacks share two cores well.
"""

import functools
import os
from pathlib import Path
from typing import Any

import pytest

from voicestack import ports

ROOT = Path(__file__).resolve().parents[1]
# The longest first, or one process ends long after the other. Then what follows: unit tests.
ORDER = ("tests/stack", "tests/calls", "tests/diagnosis")
# A stack of its own, in place of the one of tests/calls/conftest.py.
OWN_STACK = "\ndef stack("
# Characters of a failure: the end says what was wrong.
TOLD = 4000


def pytest_configure() -> None:
    """No two processes may choose the same free block of ports at the same moment."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        count = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        ports.FREE_BASES = ports.FREE_BASES[int(worker.removeprefix("gw")) :: count]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give whole groups to a process, in their order."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid.partition("::")[0])

    config.option.loadscopereorder = False
    return ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the groups; within one nothing changes.

    A call goes through eight processes and a loaded machine. What places calls has a second try;
    the summary lists each (RERUN), and each is a defect to be looked into.
    """
    items.sort(key=lambda item: position(item.nodeid.partition("::")[0]))
    for item in items:
        if item.get_closest_marker("calls"):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was wrong in a first try: the summary of reruns names the test alone."""
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.section(f"first try of {report.nodeid}", "-")
        terminalreporter.write_line(report.longreprtext[-TOLD:])


@functools.cache
def position(file: str) -> tuple[int, bool]:
    """How late the tests of a file run."""
    folders = [index for index, folder in enumerate(ORDER) if file.startswith(folder + "/")]
    return (folders[0] if folders else len(ORDER), group(file) != "calls")


@functools.cache
def group(file: str) -> str:
    """The tests on a container engine, those on the one stack of tests/calls, those of a file."""
    if file.startswith("tests/stack/"):
        return "engine"
    folder = str(Path(file).parent)
    if folder == "tests/calls":
        return file if OWN_STACK in (ROOT / file).read_text() else "calls"
    return folder if folder.startswith("tests/calls/") else file

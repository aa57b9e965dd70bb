"""The suite in two processes (`pytest -n 2 --dist loadgroup`): what shares a stack stays together.

Most of the time a test waits for speech, so two stacks share two cores well. Without `-n` the order
is the same and everything runs in one process.
"""

import os
from pathlib import Path

import pytest

from voicestack import ports

HERE = Path(__file__).parent
# The longest first, or one process ends long after the other. Then what follows: unit tests.
ORDER = (HERE / "calls", HERE / "diagnosis", HERE / "stack")


def pytest_configure() -> None:
    """No two processes may choose the same free block of ports at the same moment."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        count = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        ports.FREE_BASES = ports.FREE_BASES[int(worker.removeprefix("gw")) :: count]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the groups, and name them."""
    items.sort(key=lambda item: (position(item), group(item) != "calls"))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))


def position(item: pytest.Item) -> int:
    """How late this test runs."""
    for index, folder in enumerate(ORDER):
        if folder in item.path.parents:
            return index
    return len(ORDER)


def group(item: pytest.Item) -> str:
    """Tests on the one stack of tests/calls, those on a container engine, else those of a file."""
    folder = item.path.parent
    if folder == HERE / "stack":
        return "engine"
    shares = isinstance(item, pytest.Function) and "stack" in item.fixturenames
    if folder == HERE / "calls" and shares and "stack" not in vars(item.module):
        return "calls"
    return str(item.path)

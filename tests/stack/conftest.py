"""One stack on a real engine for all tests of this folder."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import speech
from tests.speech import Utterance
from tests.stack import world
from tests.stack.world import World

# The first run on a machine compiles two servers inside an image; every later one takes seconds.
FIRST_BUILD_S = 1800


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """An engine and network namespaces need root."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.calls)
            item.add_marker(pytest.mark.timeout(FIRST_BUILD_S))
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="only root may start an engine"))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A bare checkout after `docker compose up --wait`."""
    with world.running(tmp_path_factory.mktemp("compose")) as running:
        yield running


@pytest.fixture(scope="session")
def question() -> Utterance:
    """A recorded human question, short."""
    return min(speech.utterances(complete_only=True, min_s=1.2), key=lambda each: each.duration_s)

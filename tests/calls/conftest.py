"""One stack on real models for all tests that do not break it for good."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import speech
from tests.calls import world
from tests.speech import Utterance
from voicestack.native.up import Stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder places calls."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.calls)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack that a user gets, on ports of its own."""
    with world.running(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="session")
def utterances() -> list[Utterance]:
    """Recorded human speech, one utterance each."""
    return speech.utterances(complete_only=True, min_s=1.2)

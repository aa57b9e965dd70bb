"""A hub on loopback, and a reporter that keeps its lines."""

from collections.abc import Iterator

import pytest
from tests.unit.setup.fakes import FakeHub

from voicestack.setup.progress import Plain


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    fake = FakeHub()
    yield fake
    fake.close()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def talk(said: list[str]) -> Plain:
    return Plain(said.append)

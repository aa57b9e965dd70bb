"""One stack with real servers and ears for everything about telephoning; mind and voice obey."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest

from tests import fakes
from tests.calls import world
from tests.calls.telephony import people
from tests.fakes import FakeModels
from voicestack.native.up import Stack
from voicestack.office import Office
from voicestack.phone import Phone

DISCARD = 9  # RFC 863: nobody answers there


@pytest.fixture(scope="package")
def models() -> Iterator[FakeModels]:
    with fakes.serving() as models:
        yield models


@pytest.fixture(scope="package")
def environ(tmp_path_factory: pytest.TempPathFactory, models: FakeModels) -> dict[str, str]:
    """Settings with a carrier that does not answer yet: `office` writes where it is."""
    folder = tmp_path_factory.mktemp("telephony")
    lines, customers, knowledge = (
        folder / name for name in ("telephony.yaml", "customers.csv", "knowledge")
    )
    lines.write_text(people.lines(DISCARD))
    customers.write_text(f"number,name,since\n{people.ADA},Ada,2021\n")
    knowledge.mkdir()
    (knowledge / "parking.md").write_text(people.PARKING)
    more = {
        "LLM_URL": models.url,
        "TTS_URL": models.url,
        "TRANSFER_TARGETS": f"billing={people.OFFICE}",
        "CALLER_DATA": str(customers),
        "KNOWLEDGE_DIR": str(knowledge),
        "LINES_FILE": str(lines),
        "SILENCE_S": str(people.SILENCE_S),
        "MAX_CALLS": "3",
        # Attempts follow each other without a pause, and shall be refused for what they want.
        "TOOLS_PER_MINUTE": "100",
    }
    shell = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    return {**shell, **world.environment(folder, **more)}


@pytest.fixture(scope="package")
def stack(environ: dict[str, str]) -> Iterator[Stack]:
    with world.of(environ) as stack:
        stack.up(lambda _: None)
        yield stack


@pytest.fixture(autouse=True)
async def a_free_line(stack: Stack, models: FakeModels) -> None:
    models.tool = None
    models.tones = {}
    await world.no_rooms(Office.with_settings(stack.settings))


@pytest.fixture
async def office(stack: Stack) -> AsyncIterator[Phone]:
    """The phone of the colleague whom callers are transferred to, behind the carrier."""
    async with Phone(user=people.OFFICE, takes_calls=True) as phone:
        stack.settings.lines_file.write_text(people.lines(phone.address[1]))
        yield phone

"""One stack with real servers and ears for everything about telephoning; mind and voice obey."""

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
def stack(tmp_path_factory: pytest.TempPathFactory, models: FakeModels) -> Iterator[Stack]:
    """A stack with a carrier that does not answer yet: `carrier` writes where it is."""
    folder = tmp_path_factory.mktemp("telephony")
    lines = folder / "telephony.yaml"
    lines.write_text(people.lines(DISCARD))
    more = {
        "TRANSFER_TARGETS": f"billing={people.OFFICE}",
        "LINES_FILE": str(lines),
        "SILENCE_S": "6",
        "MAX_CALLS": "3",
    }
    with world.running(folder, LLM_URL=models.url, TTS_URL=models.url, **more) as stack:
        yield stack


@pytest.fixture(autouse=True)
async def a_free_line(stack: Stack, models: FakeModels) -> None:
    models.tool = None
    await world.no_rooms(Office.with_settings(stack.settings))


@pytest.fixture
async def office(stack: Stack) -> AsyncIterator[Phone]:
    """The phone of the colleague whom callers are transferred to, behind the carrier."""
    async with Phone(user=people.OFFICE, takes_calls=True) as phone:
        stack.settings.lines_file.write_text(people.lines(phone.address[1]))
        yield phone

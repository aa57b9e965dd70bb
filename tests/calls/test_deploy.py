"""A deploy with calls up, in short: none is cut, new callers are answered, and the way back works.

Mind and voice are fakes without a model. Five calls, deaths and kills: tests/long/test_deploy.py.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import fakes
from tests.calls import deploying, world
from tests.calls.deploying import calls_up, new_callers
from voicestack.native.up import Stack
from voicestack.office import Office

# Three workers start here, each beside calls; a busy machine needs minutes.
pytestmark = pytest.mark.timeout(600)

CALLS = 2


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with fakes.serving() as models:
        values = deploying.settings(tmp_path_factory.mktemp("deploy"), models.url)
        yield {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **values}


@pytest.fixture(scope="module")
def stack(environ: dict[str, str]) -> Iterator[Stack]:
    with world.of(environ) as stack:
        stack.up(lambda _: None)
        yield stack


async def test_a_version_that_fails_then_a_good_one_then_back(
    stack: Stack, environ: dict[str, str], tmp_path: Path
) -> None:
    """Two calls live through each change, callers keep coming, and records name who answered."""
    office = Office.with_settings(stack.settings)
    (before,) = await deploying.on_duty(office)
    good, bad = deploying.version(tmp_path / "good"), deploying.failing_version(tmp_path / "bad")
    async with calls_up(stack, CALLS) as calls:
        async with new_callers(stack, "a version that fails"):
            async with deploying.deploying(
                environ, "--from", str(bad), *deploying.QUICK
            ) as command:
                outcome = await command.ended(1)
            assert outcome["result"] == "rolled back"
            assert outcome["version"] == before["version"] != outcome["instead_of"]
        async with deploying.deploying(environ, "--from", str(good), *deploying.QUICK) as command:
            new = await deploying.moved(stack, command, calls, "a new version")
    assert new["result"] == "deployed"
    assert (
        await deploying.version_of_next_call(stack, office) == new["version"] != before["version"]
    )
    async with (
        calls_up(stack, CALLS) as calls,
        deploying.deploying(environ, "--rollback", *deploying.QUICK) as command,
    ):
        outcome = await deploying.moved(stack, command, calls, "roll back")
    assert outcome["version"] == before["version"]
    assert await deploying.version_of_next_call(stack, office) == before["version"]

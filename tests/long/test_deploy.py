"""Deploys cut no call: real phones, real servers, two workers.

The five calls are held by the agent itself; mind and voice are fakes without a model, so that two
cores carry five calls and a worker that starts.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests import fakes
from tests.calls import deploying, world
from tests.calls.deploying import QUICK, calls_up, new_callers
from tests.calls.hearing import is_tone
from tests.speech import Utterance
from voicestack.native import leftovers
from voicestack.native.supervisor import Supervisor
from voicestack.native.up import Stack
from voicestack.office import Office

# Two workers start and five calls are heard by two cores; a busy machine needs minutes.
pytestmark = pytest.mark.timeout(800)

CALLS = 5
# The share of new callers who may wait longer than promised: none on an idle machine.
LATE = 0.1


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


@pytest.fixture
def office(stack: Stack) -> Office:
    return Office.with_settings(stack.settings)


async def test_a_version_that_fails_its_test_call_changes_nothing(
    stack: Stack, environ: dict[str, str], office: Office, tmp_path: Path
) -> None:
    """It registers, but no call gets an agent: five calls go on, new callers hear the old one."""
    bad = deploying.failing_version(tmp_path / "bad")
    (before,) = await deploying.on_duty(office)
    async with calls_up(stack, CALLS) as calls:
        async with (
            new_callers(stack, "a version that fails", LATE),
            deploying.deploying(environ, "--from", str(bad), *QUICK) as command,
        ):
            outcome = await command.ended(1)
        assert not any(call.ended.is_set() for call in calls)
    assert (outcome["result"], outcome["proofs"]) == ("rolled back", [])
    assert "test call of receptionist" in outcome["reason"]
    assert outcome["version"] == before["version"] != outcome["instead_of"]
    assert [each["worker"] for each in await deploying.on_duty(office)] == [before["worker"]]
    assert await deploying.version_of_next_call(stack, office) == before["version"]


async def test_a_new_version_and_back(
    stack: Stack,
    environ: dict[str, str],
    office: Office,
    tmp_path: Path,
    utterances: list[Utterance],
) -> None:
    """Five calls up, each time: none is cut, every new caller is answered, records are true."""
    (before,) = await deploying.on_duty(office)
    good = deploying.version(tmp_path / "good")
    async with calls_up(stack, CALLS) as calls:
        arguments = ("--from", str(good), "--watch-s", "2", "--speech", str(utterances[0].path))
        async with deploying.deploying(environ, *arguments) as command:
            async with new_callers(stack, "a new version", LATE):
                await command.until("new calls go to")
                await command.until(f"{CALLS} calls left")
            assert not any(call.ended.is_set() for call in calls)
            new = await deploying.version_of_next_call(stack, office)
            for call in calls:
                await call.hang_up()
            outcome = await command.ended(0)
    assert outcome["result"] == "deployed"
    assert new == outcome["version"] != before["version"]
    assert outcome["proofs"][0]["reply_ms"]
    async with (
        calls_up(stack, CALLS) as calls,
        deploying.deploying(environ, "--rollback", *QUICK) as command,
    ):
        outcome = await deploying.moved(stack, command, calls, "roll back", LATE)
    assert outcome["version"] == before["version"]
    assert await deploying.version_of_next_call(stack, office) == before["version"]


def pid_of(stack: Stack, slot: str) -> int:
    with Supervisor(stack.paths) as supervisor:
        return next(state.pid for state in supervisor.states() if state.name == slot)


async def test_a_new_version_that_dies_gives_the_calls_back(
    stack: Stack, environ: dict[str, str], office: Office, tmp_path: Path
) -> None:
    """SIGKILL after the switch: its own call is healed by the old worker, new ones are answered."""
    (before,) = await deploying.on_duty(office)
    good = deploying.version(tmp_path / "dies")
    async with (
        calls_up(stack, 1) as old_calls,
        deploying.deploying(environ, "--from", str(good), *QUICK) as command,
    ):
        await command.until("1 calls left")
        async with calls_up(stack, 1) as new_calls:
            psutil.Process(pid_of(stack, stack.on_duty)).kill()
            excuse = await new_calls[0].listen(timeout_s=deploying.PATIENCE_S)
            assert excuse.first_audio_at is not None, "silence after the new worker died"
            outcome = await command.ended(1)
            assert not any(call.ended.is_set() for call in (*old_calls, *new_calls))
    assert (outcome["result"], outcome["version"]) == ("rolled back", before["version"])
    assert "died" in outcome["reason"]


async def test_what_a_killed_deploy_leaves(
    stack: Stack,
    environ: dict[str, str],
    office: Office,
    tmp_path: Path,
    utterances: list[Utterance],
) -> None:
    """SIGKILL to the command while the old worker drains: callers notice nothing.

    Then the old worker dies too, and its call goes on with the new one; `make down` lets the calls
    of two workers go on; the stack that starts next is sound.
    """
    good = deploying.version(tmp_path / "left")
    async with calls_up(stack, 1) as old_calls:
        old = stack.on_duty
        async with deploying.deploying(environ, "--from", str(good), *QUICK) as command:
            await command.until("1 calls left")
        assert len(stack.services) == len(stack.declared)
        assert (await deploying.told(environ, "deploy_agent", "--status"))["deploy"] == "draining"
        assert (await deploying.told(environ, "list_workers"))["attention"] == []
        psutil.Process(pid_of(stack, old)).kill()
        excuse = await old_calls[0].listen(timeout_s=deploying.PATIENCE_S)
        assert excuse.first_audio_at is not None, "silence after the old worker died"
        async with calls_up(stack, 1) as new_calls:
            stopping = asyncio.create_task(asyncio.to_thread(stack.down))
            for call in (*old_calls, *new_calls):
                await call.say(utterances[0].path)
                reply = await call.listen(timeout_s=15)
                assert is_tone(reply.samples, fakes.TONE_HZ), "no answer while the stack stops"
                await call.hang_up()
            assert await stopping
    assert leftovers.find(stack.paths.state) == []
    stack.up(lambda _: None)
    assert (stack.on_duty, len(stack.services)) == ("agent", len(stack.declared) - 1)
    assert await deploying.version_of_next_call(stack, office)

"""One stack on a real engine for all tests of this folder."""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import speech
from tests.speech import Utterance
from tests.stack import world
from tests.stack.world import World

# The first run on a machine compiles two servers inside an image; every later one takes seconds.
FIRST_BUILD_S = 1800
HEALED_S = 60.0  # the figure is 20 s on a quiet machine; `make test-stack` prints what it took
UPGRADES, DEATHS = "test_compose_upgrade.py", "test_compose_life.py"
TIMINGS = pytest.StashKey[dict[str, float]]()
QUESTION = "silero-talk-000.03"
PHONE_NUMBER = "+15550201"
PHONES = f'phones: [{{user: anna, number: "{PHONE_NUMBER}"}}]\n'


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """An engine and network namespaces need root; `make test-stack` alone runs what is long."""
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.calls)
        item.add_marker(pytest.mark.timeout(FIRST_BUILD_S))
        if os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="only root may start an engine"))
    # An engine that was killed leaves mounts in the way of what an upgrade replaces.
    early = [item for item in ours if item.path.name == UPGRADES]
    rest = [item for item in items if item not in early]
    at = next((rest.index(item) for item in rest if item.path.name == DEATHS), len(rest))
    items[:] = [*rest[:at], *early, *rest[at:]]
    if "STACK_ALL" not in os.environ:
        long = [item for item in ours if item.get_closest_marker("long")]
        items[:] = [item for item in items if item not in long]
        config.hook.pytest_deselected(items=long)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[World]:
    """A bare checkout after `docker compose up --wait`."""
    with world.running(tmp_path_factory.mktemp("compose")) as running:
        pytestconfig.stash[TIMINGS] = running.timings
        yield running


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """How long `up` took, and the next call after each fault: the figures of docs/compose.md."""
    for name, seconds in config.stash.get(TIMINGS, {}).items():
        terminalreporter.write_line(f"compose: {name}: {seconds:.1f} s")


@dataclass(frozen=True, slots=True)
class Kept:
    """What must outlive the containers, as it was before."""

    secrets: dict[str, str]
    calls: list[str]
    password: str  # of the softphone, which is kept nowhere


@pytest.fixture(scope="session")
def public(stack: World) -> Kept:
    """The same stack with a name, a relay over TLS and a registrar, after `down` and `up`."""
    stack.answered_within(HEALED_S)
    password = stack.tools("phones", "password", "anna")["password"]
    kept = Kept(stack.secrets(), stack.calls(), password)
    stack.compose("down")
    lines = (stack.checkout / "sip/lines.yaml").read_text()
    (stack.checkout / world.MINE).write_text(lines + PHONES)
    (stack.checkout / ".env").write_text(world.PUBLIC)
    stack.up()
    return kept


@pytest.fixture(scope="session")
def repository(stack: World) -> Callable[..., None]:
    """Git in the checkout, which has one version, v1."""

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=Test", "-c", "user.email=test@example.test")
        command = ["git", *who, *arguments]
        subprocess.run(command, cwd=stack.checkout, check=True, capture_output=True)

    git("init", "--quiet", "--initial-branch", "main")
    git("add", "--all")
    git("commit", "--quiet", "--message", "v1")
    git("tag", "v1")
    return git


@pytest.fixture(scope="session")
def question() -> Utterance:
    """ "... how do I get to Dublin?", a recorded human: words of farewell would end the call."""
    spoken = speech.utterances(complete_only=True, min_s=1.2)
    return next(each for each in spoken if each.name == QUESTION)

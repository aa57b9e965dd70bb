"""A new version with a call up, and one that goes by itself: scripts/upgrade.py on an engine."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.speech import Utterance
from tests.stack import images
from tests.stack.world import BUILD, PHONE_IP, ROOT, SCRIPT_S, STACK_IP, World
from voicestack.upgrade import journal

WORKER = "agent/voice_agent/worker.py"
# The new version's worker says who it is; the bad one's falls silent in every call.
MARK, GOOD = "# version two\n", "v2"
SPEAKS, SILENT, BAD = "    await session.start(\n", "    return\n    await session.start(\n", "v3"
HEALED_S = 60.0  # the figure is 20 s on a quiet machine; `make test-stack` prints what it took
TALK_S = 120.0  # the answer to the last question but one may come first
DRAINS = "waiting for 1 calls"


@pytest.fixture(scope="module")
def versions(stack: World, repository: Callable[..., None]) -> Iterator[None]:
    """The checkout is at v1; v2 and v3 are known to git."""
    worker = stack.checkout / WORKER
    text = worker.read_text()
    assert SPEAKS in text
    for tag, changed in ((GOOD, text + MARK), (BAD, (text + MARK).replace(SPEAKS, SILENT))):
        worker.write_text(changed)
        repository("commit", "--quiet", "--all", "--message", tag)
        repository("tag", tag)
    repository("reset", "--quiet", "--keep", "v1")
    with images.lent(stack.engine):
        yield


@pytest.fixture
def first(stack: World, versions: None, repository: Callable[..., None]) -> None:
    """It is at v1, also if an upgrade was tried before."""
    last = stack.checkout / journal.PLACE
    if last.exists():
        last.unlink()
        repository("reset", "--quiet", "--keep", "v1")
        stack.up()


def running(stack: World) -> str:
    """The worker's code in the container that runs."""
    return stack.engine.docker("exec", "voicestack-agent-1", "cat", f"/app/{WORKER}")


@pytest.mark.usefixtures("first")
def test_a_call_lives_through_an_upgrade_to_its_end(stack: World, question: Utterance) -> None:
    """It is asked questions while the old version waits for it, and answers; then v2 runs.

    Another host's call is the acceptance here; the upgrade's own calls are those of the next test.
    """
    before = stack.secrets()
    talker = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{stack.phone_ns}", sys.executable, "-m",
         "tests.stack.talker", STACK_IP, PHONE_IP, str(question.path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert talker.stdin
    assert talker.stdout
    with talker:
        assert talker.stdout.readline() == "up\n"
        upgrade = subprocess.Popen(
            ["/usr/bin/python3", "scripts/upgrade.py", GOOD, "--without-call", "--json"],
            cwd=stack.checkout, env=stack.engine.environment | BUILD,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            said = await_drain(stack, upgrade)
            alive = talker.poll() is None
            talker.communicate("ask\n", timeout=TALK_S)
        finally:
            talker.stdin.close()  # the call ends, whatever came of it, and so does the upgrade
            out, err = upgrade.communicate(timeout=SCRIPT_S)
    assert (alive, talker.returncode) == (True, 0), "the call did not live on"
    assert upgrade.returncode == 0, out + said + err
    report = json.loads(out)
    assert (report["outcome"], report["old"], report["new"]) == ("upgraded", "v1", GOOD)
    assert running(stack).endswith(MARK)
    stack.answered_within(HEALED_S)
    assert stack.secrets() == before
    assert (stack.checkout / report["backup"]).stat().st_mode & 0o777 == 0o600


@pytest.mark.long
@pytest.mark.usefixtures("versions")
def test_a_version_that_does_not_answer_goes_by_itself(stack: World) -> None:
    """All its health checks pass; only a call shows it. What was there before answers again."""
    old = running(stack)
    done = stack.script("upgrade", BAD, "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["outcome"] == "rolled back"
    assert "test-call" in report["reason"]
    assert running(stack) == old
    assert SPEAKS in (stack.checkout / WORKER).read_text()
    stack.answered_within(HEALED_S)


def await_drain(stack: World, upgrade: subprocess.Popen[str]) -> str:
    """Read what it tells until all is ready and it waits for the call."""
    said = ""
    assert upgrade.stderr
    while DRAINS not in said:
        line = upgrade.stderr.readline()
        assert line, f"the upgrade ended: {said}\n{stack.told('agent')}"
        said += line
    return said

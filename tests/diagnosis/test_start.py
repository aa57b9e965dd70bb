"""Services that end as they start: what they say then is the cause, whatever else differs."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.calls import world
from tests.diagnosis import models
from voicestack import settings
from voicestack.diagnosis import checks, doctor, lastwords
from voicestack.native.render import write_private
from voicestack.native.supervisor import Supervisor
from voicestack.native.up import Stack

pytestmark = pytest.mark.calls

# A lookup of a name that is in no DNS takes some seconds on some machines.
MOST_S = 60.0
LIVEKIT: Sequence[tuple[str, str, str, list[str]]] = [
    ("unknown key", "node_ip:", "nod_ip:", ["SET011 livekit"]),
    # RFC 2606: a name that no DNS has, as every name where there is no internet.
    ("STUN unreachable", "use_external_ip: false",
     'use_external_ip: true\n  stun_servers: ["stun.example.invalid:3478"]', ["ICE006 livekit"]),
    ("relay without port", r"\nredis:", "\nturn: {enabled: true}\nredis:", ["RLY009 livekit"]),
    ("relay without certificate", r"\nredis:",
     "\nturn: {enabled: true, domain: turn.example.test, tls_port: 5349}\nredis:", ["RLY009 livekit"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def starting(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Stack, dict[str, str]]]:
    """Redis runs; livekit-server is about to, and all others wait for it."""
    folder = tmp_path_factory.mktemp("start")
    with models.serving() as mind:
        environ = world.environment(folder, LLM_URL=mind.url, TTS_URL=mind.url)
        yield from about_to_start(environ)


def about_to_start(environ: dict[str, str]) -> Iterator[tuple[Stack, dict[str, str]]]:
    with world.of(environ) as stack:
        stack.prepare()
        stack.paths.config.joinpath("livekit.yaml").rename(stack.paths.config / "right.yaml")
        with Supervisor(stack.paths) as supervisor:
            supervisor.start()
        yield stack, environ


@pytest.mark.parametrize(
    ("pattern", "text", "expected"), [row[1:] for row in LIVEKIT], ids=[row[0] for row in LIVEKIT]
)
async def test_its_last_words_are_the_cause(
    starting: tuple[Stack, dict[str, str]], pattern: str, text: str, expected: list[str]
) -> None:
    """And not that its file differs, nor that it does not run: both follow from the same."""
    stack, environ = starting
    config = stack.paths.config / "livekit.yaml"
    right = (stack.paths.config / "right.yaml").read_text()
    wrong = re.sub(pattern, text, right, count=1)
    assert wrong != right, "the configuration reads otherwise now"
    log = stack.paths.logs / "livekit.log"
    before = deaths(log)
    write_private(config, wrong)
    await until_it_has_ended_with_this(log, before)
    folder = Path(environ["LINES_FILE"]).parent
    report, _ = await doctor.examine(
        world.ROOT, checks.ALL, load=lambda: settings.load(folder, environ=environ)
    )
    assert [finding.key for finding in report.findings] == expected
    assert report.exit_code == 1


async def until_it_has_ended_with_this(log: Path, before: int) -> None:
    """Twice: the first end may be one that was under way."""
    async with asyncio.timeout(MOST_S):
        while deaths(log) < before + 2:
            await asyncio.sleep(0.05)


def deaths(log: Path) -> int:
    said = log.read_text() if log.exists() else ""
    return sum(said.count(phrase) for phrase in lastwords.PHRASES)

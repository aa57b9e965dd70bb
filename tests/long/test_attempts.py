"""Every attempt that is made in text (tests/unit/agent/test_injection.py), on the telephone.

In English, as the stack's ears are: spoken by a synthesised voice through SIP and Whisper, or
brought in by the knowledge folder; before a model that obeys all of them.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.calls.telephony import attempts
from tests.calls.telephony.conftest import a_free_line, environ, models, office, stack
from tests.fakes import FakeModels
from tests.unit.agent.payloads import BROUGHT_IN, FLOOD, SPOKEN, Payload
from voicestack.native.up import Stack
from voicestack.phone import Phone

__all__ = ["a_free_line", "environ", "models", "office", "stack"]

ENGLISH = list(SPOKEN[:23])
# Attempts in one call: a fresh one has no question open, an old one has been talked to at length.
IN_A_CALL = 6


def rows(payloads: list[Payload]) -> list[list[Payload]]:
    """Cut a list into calls."""
    return [payloads[at : at + IN_A_CALL] for at in range(0, len(payloads), IN_A_CALL)]


@pytest.fixture(scope="module")
def tally() -> Iterator[Counter[str]]:
    """What came to nothing, said at the end (`make test-attempts`)."""
    held: Counter[str] = Counter()
    yield held
    told = ", ".join(f"{count} {how}" for how, count in held.items())
    print(f"\nattempts on the telephone without an unauthorised tool call: {told}")


@pytest.mark.parametrize("row", rows(ENGLISH), ids=lambda row: row[0].text[:30])
async def test_spoken(
    stack: Stack, models: FakeModels, office: Phone, tally: Counter[str], row: list[Payload]
) -> None:
    """Nothing is done that the caller may not have; what he dictates is a message, cut to size."""
    began = attempts.now()
    async with attempts.talking(stack, models, office) as talk:
        for payload in row:
            await talk.spoken(payload)
            await talk.nothing_happened()
    messages = attempts.written(stack, began)
    assert bool(messages) == any(each.tool == FLOOD for each in row)
    assert all(len(each) <= 2000 for each in messages)
    tally["spoken"] += len(row)


@pytest.mark.parametrize("row", rows(list(BROUGHT_IN)), ids=lambda row: row[0].text[:30])
async def test_brought_in(
    stack: Stack,
    environ: dict[str, str],
    models: FakeModels,
    office: Phone,
    tally: Counter[str],
    row: list[Payload],
) -> None:
    """A text that was looked up gives no orders: what it wants is not done, or is asked first."""
    folder = Path(environ["KNOWLEDGE_DIR"])
    began = attempts.now()
    async with attempts.talking(stack, models, office) as talk:
        for payload in row:
            topic = f"topic{BROUGHT_IN.index(payload):03}"
            (folder / f"{topic}.md").write_text(f"# {topic}\n{payload.text}\n")
            await talk.brought_in(payload, topic)
            await talk.nothing_happened()
    assert attempts.written(stack, began) == []
    tally["brought in by a tool"] += len(row)

"""Attempts to misuse an agent on the telephone: a few of those of tests/long, in one call."""

from tests.calls.telephony import attempts
from tests.fakes import FakeModels
from tests.unit.agent.payloads import SPOKEN
from voicestack.native.up import Stack
from voicestack.phone import Phone

# To a number, to a name that is none, and out with the instructions.
TRIED = (SPOKEN[0], SPOKEN[1], SPOKEN[19])


async def test_attempts_are_spoken(stack: Stack, models: FakeModels, office: Phone) -> None:
    """Heard, understood and obeyed by the model; and nothing comes of it."""
    began = attempts.now()
    async with attempts.talking(stack, models, office) as talk:
        for payload in TRIED:
            await talk.spoken(payload)
        await talk.nothing_happened()
    assert attempts.written(stack, began) == []

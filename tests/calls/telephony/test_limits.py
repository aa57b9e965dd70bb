"""Calls that end by themselves, never without a word before: silent ones, and long ones."""

import asyncio
from pathlib import Path

from tests.calls.telephony import people
from tests.calls.telephony.workers import worker
from tests.fakes import FakeModels
from voice_agent import limits
from voicestack.native.up import Stack
from voicestack.phone import Call, Phone

FIRST_HZ, LAST_HZ = 1500, 1800
# The warning comes in its last fifth.
SHORT_MINUTES = 0.2


async def test_a_silent_caller_is_asked_and_then_left(stack: Stack, models: FakeModels) -> None:
    """Twice SILENCE_S without a word: a question, then goodbye and BYE."""
    models.tones = {limits.STILL_THERE_TEXT: FIRST_HZ, limits.SILENT_TEXT: LAST_HZ}
    async with Phone() as phone:
        call = await people.dial(phone, stack)
        await call.listen()
        await warned_and_left(call)
    assert '"limit": "silence"' in (stack.paths.logs / "agent.log").read_text()


async def test_a_long_call_is_warned_and_ended(
    stack: Stack, models: FakeModels, tmp_path: Path
) -> None:
    """A warning while there is time for a last word, then goodbye and BYE."""
    models.tones = {limits.WARNING_TEXT: FIRST_HZ, limits.TIME_UP_TEXT: LAST_HZ}
    more = {"MAX_CALL_MINUTES": str(SHORT_MINUTES), "SILENCE_S": "60", "MAX_CALLS": "2"}
    name = people.SHORT_WORKER
    with worker(stack, tmp_path / name, "start", AGENT_NAME=name, **more) as log:
        await people.worker_known(stack, name)
        async with Phone() as phone:
            call = await people.dial(phone, stack, people.SHORT)
            await warned_and_left(call)
        assert '"limit": "longest call"' in log.read_text()


async def warned_and_left(call: Call) -> None:
    """One thing is said, then another, then the far end hangs up."""
    await people.hears(call, FIRST_HZ)
    await people.hears(call, LAST_HZ)
    async with asyncio.timeout(people.WITHIN_S):
        await call.ended.wait()
    assert "the far end hung up" in (call.end_reason or "")

"""Any one process may die during a call: a log line says so, and the next call works."""

import asyncio
import time

import psutil
import pytest

from tests.calls import world
from tests.speech import Utterance
from voicestack.native.supervisor import Supervisor
from voicestack.native.up import Stack
from voicestack.phone import Phone, PhoneError

# The figure is 15 s on two idle cores; CI may be slower. `make bench` measures.
HEALED_S = 120.0
RING_S = 6.0
SERVICES = ("redis", "livekit", "sip", "control", "llm", "tts", "agent", "caddy")


async def talks(stack: Stack, utterance: Utterance) -> bool:
    """One call: answered, greeted, and one question answered."""
    async with Phone() as phone:
        try:
            call = await phone.dial(world.NUMBER, server=world.server(stack), ring_timeout_s=RING_S)
            if (await call.listen(timeout_s=RING_S)).first_audio_at is None:
                return False
            await call.say(utterance.path)
            return await call.first_audio(timeout_s=10) is not None
        except PhoneError:
            return False


async def seconds_until_a_call_works(stack: Stack, utterance: Utterance) -> float:
    """Call again and again, as people do; when the call began that worked."""
    started_s = time.monotonic()
    async with asyncio.timeout(HEALED_S):
        while True:
            dialled_s = time.monotonic()
            if await talks(stack, utterance):
                return dialled_s - started_s
            await asyncio.sleep(0.5)


async def kill(stack: Stack, utterance: Utterance, pid: int) -> float:
    """SIGKILL in the middle of a call; seconds until the next one that works."""
    async with Phone() as phone:
        call = await phone.dial(world.NUMBER, server=world.server(stack))
        await call.listen()
        psutil.Process(pid).kill()
        return await seconds_until_a_call_works(stack, utterance)


@pytest.mark.parametrize("name", SERVICES)
async def test_the_next_call_works(stack: Stack, utterances: list[Utterance], name: str) -> None:
    """SIGKILL in the middle of a call."""
    with Supervisor(stack.paths) as supervisor:
        before = {state.name: state for state in supervisor.states()}[name]
        await kill(stack, utterances[0], before.pid)
        after = {state.name: state for state in supervisor.states()}[name]
    assert after.pid != before.pid
    assert after.restarts == before.restarts + 1
    log = (stack.paths.logs / "supervisor.log").read_text()
    assert f"process={name}" in log.replace("\x1b[0m", "").replace("\x1b[36m", "")

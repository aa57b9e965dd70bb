"""A phone, and a far end that does what the test says."""

from collections.abc import AsyncIterator

import pytest

from voicestack.phone import Call, Phone, Timers

from .far_end import FarEnd

# T1 of 20 ms: repeats come soon, and giving up takes 1.3 s.
FAST = Timers(t1_s=0.02, t2_s=0.16)


@pytest.fixture
async def far_end() -> AsyncIterator[FarEnd]:
    async with FarEnd() as end:
        yield end


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    async with Phone(timers=FAST) as phone:
        yield phone
        for call in phone.calls:
            call.finish("end of test")  # no BYE to a far end that has gone


@pytest.fixture
async def call(phone: Phone, far_end: FarEnd) -> Call:
    """An answered call; its INVITE is `far_end.seen[0]`."""
    import asyncio

    dialling = asyncio.create_task(phone.dial("+15550100", server=far_end.address))
    far_end.answer(await far_end.expect("INVITE"))
    await far_end.expect("ACK")
    return await dialling

"""Agents for conversations: phones that answer and say tones."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import numpy as np

from voicestack.phone import Call, Phone


def tone(seconds: float, hz: float = 400.0) -> np.ndarray:
    t = np.arange(int(8000 * seconds)) / 8000
    return (9000 * np.sin(2 * np.pi * hz * t)).astype(np.int16)


def utterance(seconds: float = 0.4, tail_s: float = 0.2) -> np.ndarray:
    """Speech with silence around it, as clips have."""
    return np.concatenate([tone(0.0), np.zeros(800, np.int16), tone(seconds, 300),
                           np.zeros(int(8000 * tail_s), np.int16)])  # fmt: skip


@asynccontextmanager
async def answering(script: Callable[[Call], Awaitable[None]]) -> AsyncIterator[Phone]:
    """A phone that answers one call and then does as the script says."""
    async with Phone(user="agent", takes_calls=True) as phone:

        async def answer() -> None:
            incoming = await phone.incoming_call()
            incoming.ring()
            await script(incoming.accept())

        task = asyncio.create_task(answer())
        try:
            yield phone
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

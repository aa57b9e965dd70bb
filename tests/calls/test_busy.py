"""A machine that does something else as well still answers its phone."""

import contextlib
import multiprocessing
import os
from collections.abc import Iterator

from tests.calls import world
from tests.speech import Utterance
from voicestack.native.up import Stack
from voicestack.phone import Phone

REPLY_S = 30.0


def burn() -> None:
    """Compute for ever, as a compiler does."""
    number = 0
    while True:
        number = (number * 1103515245 + 12345) % 2147483648


@contextlib.contextmanager
def busy_cores() -> Iterator[None]:
    """Keep every core busy."""
    context = multiprocessing.get_context("spawn")
    burners = [context.Process(target=burn, daemon=True) for _ in range(os.cpu_count() or 1)]
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.join()


async def test_a_busy_machine_answers(stack: Stack, utterances: list[Utterance]) -> None:
    """Every core computes; the call is answered and every question too."""
    with busy_cores():
        async with Phone() as phone:
            call = await phone.dial(world.NUMBER, server=world.server(stack))
            assert (await call.listen()).first_audio_at is not None
            for utterance in utterances[:3]:
                await call.say(utterance.path)
                assert await call.first_audio(timeout_s=REPLY_S) is not None, utterance.text
                await call.listen(until_quiet_s=0.7, timeout_s=1)

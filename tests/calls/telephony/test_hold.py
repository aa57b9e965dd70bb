"""The far end puts the agent on hold: no word into it, no good-bye for it, and on with the talk."""

import asyncio
import time

import numpy as np
import pytest

from tests import fakes
from tests.calls import world
from tests.calls.hearing import is_tone
from tests.calls.telephony import people
from tests.fakes import FakeModels
from tests.speech import Utterance
from voice_agent import music
from voicestack.native.up import Stack
from voicestack.phone import Phone

# Longer than people.SILENCE_S, after which the agent would ask, and than half of what comes then.
HELD_S = 9.0


@pytest.mark.parametrize("way", ["music", "inactive", "0.0.0.0"])
async def test_hold_is_neither_spoken_into_nor_hung_up_on(
    stack: Stack, models: FakeModels, utterances: list[Utterance], way: str
) -> None:
    """An exchange that plays music (sendonly), a phone that sends nothing, an old one (0.0.0.0)."""
    async with Phone() as phone:
        call = await people.dial(phone, stack)
        await call.listen()
        models.asked.clear()
        models.llm = "slow"  # the reply is on its way when the caller is put on hold
        await call.say(utterances[0].path)
        await call.hold(direction="sendonly" if way == "music" else way)
        models.llm = "ok"
        since = time.monotonic()
        if way == "music":
            await call.say(music.samples(), rate_hz=music.RATE_HZ)
        await asyncio.sleep(HELD_S - (time.monotonic() - since))
        heard = people.heard(call, since + 0.5, time.monotonic())
        assert np.abs(heard).max(initial=0) < 200, "the agent spoke into the hold"
        assert not call.ended.is_set()
        await call.resume()
        await call.say(utterances[1].path)
        reply = await call.listen(timeout_s=15)
        assert is_tone(reply.samples, fakes.TONE_HZ)
    assert "call on hold" in world.log_text(stack, "agent")

"""A caller is sent on (REFER), or somebody is asked first: who hears what, on both telephones."""

import asyncio
import contextlib
import time

import pytest

from tests import fakes, greetings
from tests.calls.hearing import heard_among, is_tone, levels_db, steady_db, tone, tone_db
from tests.calls.telephony import people
from tests.fakes import FakeModels
from tests.speech import RATE_HZ, Utterance
from voice_agent import warm
from voicestack.native.up import Stack
from voicestack.phone import Call, CallEnded, Phone
from voicestack.phone.wire.g711 import Samples

ABOUT = "a wrong bill"
ASK = f'{{"to": "billing", "about": "{ABOUT}"}}'
WORDS_HZ, WAIT_HZ, BRIEFING_HZ, SORRY_HZ, CONNECTED_HZ = fakes.TONE_HZ, 1300, 1500, 1900, 2100
TONES = {
    "One moment, I connect you.": WAIT_HZ,
    warm.WAIT_TEXT: WAIT_HZ,
    warm.BRIEFING.format(about=ABOUT): BRIEFING_HZ,
    warm.AGAIN_TEXT: BRIEFING_HZ,
    warm.JOINING_TEXT: CONNECTED_HZ,
    warm.CONNECTED_TEXT: CONNECTED_HZ,
    warm.SORRY_TEXT: SORRY_HZ,
}
CALLER_HZ, COLLEAGUE_HZ = 1700, 2300
# The chords of the hold music lie here.
MUSIC_HZ, MUSIC_BAND_HZ = 550, 250
SILENCE_DB, NOISE_DB, AUDIBLE_DB = -55.0, -50.0, -40.0
# A server that was not told of a hang-up learns of it after 20 s (agent/voice_agent/occupancy.py).
UNTOLD_S = 45.0
# Between two chords it fades to nothing, so it is looked for in the loudest moment.
MUSIC_DB = -48.0


async def test_a_listed_target_gets_the_caller(
    stack: Stack, models: FakeModels, utterances: list[Utterance]
) -> None:
    """He hears that he is connected, then his phone is told to call there (REFER), and we go."""
    models.tones = TONES
    async with Phone() as phone:
        call = await people.dial(phone, stack)
        await people.ask(call, models, utterances[0], "transfer_call", '{"to": "billing"}')
        await people.hears(call, WAIT_HZ)
        async with asyncio.timeout(people.WITHIN_S):
            await call.ended.wait()
        assert (call.referred_to or "").strip("<>") == f"tel:{people.OFFICE}"


@pytest.mark.parametrize("tool", ["transfer_call", "ask_to_take_call"])
async def test_no_other_target_does(
    stack: Stack, models: FakeModels, utterances: list[Utterance], office: Phone, tool: str
) -> None:
    """A number that somebody has talked the model into gets neither REFER nor INVITE."""
    models.tones = TONES
    async with Phone() as phone:
        call = await people.dial(phone, stack)
        arguments = f'{{"to": "+19005550123", "about": "{ABOUT}"}}'
        await people.ask(call, models, utterances[0], tool, arguments)
        result = (await people.asked(models, "tool"))[-1]["content"]
        assert "Offer to take a message." in result
        models.tool = None
        await talks_on(call, utterances[1])
        assert call.referred_to is None
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await office.incoming_call()


async def test_a_colleague_is_told_and_takes_the_call(
    stack: Stack, models: FakeModels, utterances: list[Utterance], office: Phone
) -> None:
    """Music for the one, what it is about for the other; a yes, and they talk without us."""
    yes = await asyncio.to_thread(greetings.spoken, "flite", "slt", "Yes, of course.")
    async with Phone() as phone:
        call = await asking(phone, stack, models, utterances[0])
        colleague = await pick_up(office)
        briefing = await colleague.listen(timeout_s=people.WITHIN_S)
        assert briefing.first_audio_at is not None
        assert briefing.last_audio_at is not None
        assert is_tone(briefing.samples, BRIEFING_HZ)
        held = people.heard(call, briefing.first_audio_at + 0.3, briefing.last_audio_at)
        assert steady_db(held, BRIEFING_HZ) < SILENCE_DB, "the caller hears the briefing"
        assert MUSIC_DB < max(levels_db(held, MUSIC_HZ, MUSIC_BAND_HZ)) < -20

        at_caller, at_colleague = await both_speak(call, colleague)
        assert steady_db(at_caller, COLLEAGUE_HZ) < SILENCE_DB, "the caller hears the colleague"
        assert steady_db(at_colleague, CALLER_HZ) < SILENCE_DB, "the colleague hears the caller"
        assert steady_db(at_colleague, MUSIC_HZ, MUSIC_BAND_HZ) < SILENCE_DB

        await colleague.say(yes, rate_hz=RATE_HZ)
        connected = await colleague.listen(timeout_s=people.WITHIN_S)
        assert is_tone(connected.samples, CONNECTED_HZ)
        await people.agent_gone(stack)
        at_caller, at_colleague = await both_speak(call, colleague)
        assert tone_db(at_caller, COLLEAGUE_HZ) > AUDIBLE_DB
        assert tone_db(at_colleague, CALLER_HZ) > AUDIBLE_DB
        for heard in (at_caller, at_colleague):
            assert steady_db(heard, MUSIC_HZ, MUSIC_BAND_HZ) < NOISE_DB
            assert not heard_among(heard, {WORDS_HZ, *TONES.values()}, NOISE_DB), "the agent"
        await call.hang_up()
        async with asyncio.timeout(UNTOLD_S):
            await colleague.ended.wait()


@pytest.mark.parametrize("way", ["key", "480"])
async def test_who_is_not_put_through_gets_the_agent_back(
    stack: Stack, models: FakeModels, utterances: list[Utterance], office: Phone, way: str
) -> None:
    """Declined, or nobody there: he is told so, and the talk goes on."""
    async with Phone() as phone:
        call = await asking(phone, stack, models, utterances[0])
        if way == "480":
            async with asyncio.timeout(people.WITHIN_S):
                (await office.incoming_call()).refuse(480, "Temporarily Unavailable")
        else:
            colleague = await pick_up(office)
            assert await colleague.first_audio(timeout_s=people.WITHIN_S) is not None
            with contextlib.suppress(CallEnded):  # let go while the key is still down
                await colleague.send_dtmf("2")
        await people.hears(call, SORRY_HZ)
        models.tool = None
        await talks_on(call, utterances[1])
        assert len(await people.people(stack)) == 2, "more than the caller and the agent"


async def asking(phone: Phone, stack: Stack, models: FakeModels, utterance: Utterance) -> Call:
    """Call, and ask for the colleague; the agent has said that one must wait."""
    models.tones = TONES
    call = await people.dial(phone, stack)
    await people.ask(call, models, utterance, "ask_to_take_call", ASK)
    await people.hears(call, WAIT_HZ)
    return call


async def pick_up(office: Phone) -> Call:
    """Let it ring for a moment, as people do."""
    async with asyncio.timeout(people.WITHIN_S):
        incoming = await office.incoming_call()
    incoming.ring()
    await asyncio.sleep(0.3)
    return incoming.accept()


async def both_speak(caller: Call, colleague: Call) -> tuple[Samples, Samples]:
    """A tone of each into his own phone; what was in either's ear meanwhile."""
    began = time.monotonic()
    await asyncio.gather(caller.say(tone(CALLER_HZ, 2.0)), colleague.say(tone(COLLEAGUE_HZ, 2.0)))
    # Where both are steady: an onset is heard at every frequency.
    steady = (began + 0.5, began + 1.8)
    return people.heard(caller, *steady), people.heard(colleague, *steady)


async def talks_on(call: Call, utterance: Utterance) -> None:
    """A question, and an answer of the agent."""
    await call.listen()
    since = (await call.say(utterance.path)).speech_ended_at
    assert is_tone((await call.listen(since=since)).samples, WORDS_HZ)

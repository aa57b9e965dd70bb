"""The main job: a caller speaks and is answered, by real servers and real models."""

import asyncio

import pytest

from tests.calls import world
from tests.speech import Utterance
from voicestack.native.up import Stack
from voicestack.phone import CallRefused, Credentials, NoAnswer, Phone, PhoneError

# Bounds of tests are generous: `make bench` measures.
ANSWER_MS = 15_000
GREETING_S = 10.0
TURN_MS = 20_000
STOPS_S = 2.0
TURNS = 20
LISTENS_S = 4.0


@pytest.mark.timeout(900)  # four minutes of speech, and a busy machine speaks more slowly
async def test_twenty_turns_of_human_speech_are_answered(
    stack: Stack, utterances: list[Utterance]
) -> None:
    """Greeting, then every utterance gets a reply that can be heard."""
    async with Phone() as phone:
        call = await phone.dial(world.NUMBER, server=world.server(stack))
        assert call.timing.answered_ms is not None
        assert call.timing.answered_ms < ANSWER_MS
        greeting = await call.listen()
        assert greeting.first_audio_at is not None
        assert greeting.first_audio_at - (call.timing.answered_at or 0) < GREETING_S
        short_first = sorted(utterances, key=lambda each: each.duration_s)
        for number, utterance in enumerate(short_first[:TURNS]):
            said = await call.say(utterance.path)
            # A reply may be long: the next words of the caller cut it short, as people do.
            first = await call.first_audio(timeout_s=TURN_MS / 1000)
            assert first is not None, f"turn {number} was not answered: {utterance.text}"
            assert 1000 * (first - said.speech_ended_at) < TURN_MS
            await call.listen(until_quiet_s=0.7, timeout_s=1, longest_s=LISTENS_S)


async def test_the_agent_stops_when_the_caller_speaks(
    stack: Stack, utterances: list[Utterance]
) -> None:
    """Barge-in: the greeting ends when the caller begins."""
    async with Phone() as phone:
        call = await phone.dial(world.NUMBER, server=world.server(stack))
        assert await call.first_audio(timeout_s=GREETING_S) is not None
        said = await call.say(max(utterances, key=lambda each: each.duration_s).path)
        stopped = call.media.meter.audio_stopped_after(said.speech_started_at, quiet_s=0.5)
        assert stopped is not None
        assert stopped - said.speech_started_at < STOPS_S


@pytest.mark.parametrize(
    ("number", "local_ip"),
    [(world.UNKNOWN_NUMBER, "127.0.0.1"), (world.CLOSED_NUMBER, "127.0.0.1")],
    ids=["unknown number", "address not allowed"],
)
async def test_who_is_not_let_in_gets_no_room(stack: Stack, number: str, local_ip: str) -> None:
    """No answer, no room, no job."""
    before = world.log_text(stack, "livekit").count("starting RTC session")
    async with Phone(local_ip=local_ip) as phone:
        with pytest.raises((CallRefused, NoAnswer, PhoneError)):
            await phone.dial(number, server=world.server(stack), ring_timeout_s=2.0)
    assert world.log_text(stack, "livekit").count("starting RTC session") == before


async def test_an_allowed_address_is_answered(stack: Stack) -> None:
    """The same number from the address that its line names."""
    async with Phone(local_ip="127.0.0.5") as phone:
        call = await phone.dial(world.CLOSED_NUMBER, server=world.server(stack))
        assert (await call.listen()).first_audio_at is not None


async def test_digest_opens_a_line(stack: Stack) -> None:
    """User and password are asked for, and let in."""
    right = Credentials("desk", world.DIGEST_PASSWORD)
    async with Phone(credentials=right) as phone:
        call = await phone.dial(world.DIGEST_NUMBER, server=world.server(stack))
        assert (await call.listen()).first_audio_at is not None


async def test_a_wrong_password_opens_nothing(stack: Stack) -> None:
    """The call is refused, not left ringing."""
    async with Phone(credentials=Credentials("desk", "wrong")) as phone:
        with pytest.raises((CallRefused, NoAnswer)):
            await phone.dial(world.DIGEST_NUMBER, server=world.server(stack), ring_timeout_s=4.0)


async def test_two_callers_at_once_are_both_answered(
    stack: Stack, utterances: list[Utterance]
) -> None:
    """MAX_CALLS is 2: both lines talk."""

    async def one() -> bool:
        async with Phone() as phone:
            call = await phone.dial(world.NUMBER, server=world.server(stack))
            await call.listen()
            await call.say(utterances[0].path)
            return await call.first_audio(timeout_s=2 * TURN_MS / 1000) is not None

    assert await asyncio.gather(one(), one()) == [True, True]


def test_each_turn_has_its_log_line(stack: Stack) -> None:
    """Where the time of a turn went can be read afterwards, and no words of the caller."""
    lines = [line for line in world.log_text(stack, "agent").splitlines() if "turn done" in line]
    assert lines
    for name in ("stt_ms", "turn_ms", "llm_first_token_ms", "tts_first_audio_ms", "total_ms"):
        assert name in lines[-1]

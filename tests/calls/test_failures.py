"""Whatever stage fails, the caller hears it, and the next turn works when the stage is back."""

from collections.abc import Iterator

import pytest

from tests import fakes
from tests.calls import world
from tests.calls.hearing import is_tone
from tests.fakes import FakeModels, Mode
from tests.speech import Utterance
from voicestack.native.up import Stack
from voicestack.phone import Phone

# Bounds are generous; what matters is that something is heard at all.
HEARD_WITHIN_S = 40.0


@pytest.fixture(scope="module")
def models() -> Iterator[FakeModels]:
    with fakes.serving() as models:
        yield models


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, models: FakeModels) -> Iterator[Stack]:
    """Real servers and ears; mind and voice fail on demand."""
    folder = tmp_path_factory.mktemp("failures")
    with world.running(folder, LLM_URL=models.url, TTS_URL=models.url) as stack:
        yield stack


@pytest.mark.parametrize(
    ("stage", "mode"),
    [
        ("llm", "error"),
        ("llm", "hang"),
        ("llm", "garbage"),
        ("llm", "empty"),
        ("tts", "error"),
        ("tts", "hang"),
        ("tts", "garbage"),
    ],
)
async def test_a_failing_stage_is_heard_and_forgiven(
    stack: Stack, models: FakeModels, utterances: list[Utterance], stage: str, mode: Mode
) -> None:
    """An apology (speech, not the fake's tone), then the tone once the stage is back."""
    models.llm = models.tts = "ok"
    async with Phone() as phone:
        call = await phone.dial(world.NUMBER, server=world.server(stack))
        await call.listen()
        setattr(models, stage, mode)
        try:
            await call.say(utterances[0].path)
            apology = await call.listen(timeout_s=HEARD_WITHIN_S)
        finally:
            setattr(models, stage, "ok")
        assert apology.first_audio_at is not None, "silence"
        assert not is_tone(apology.samples, fakes.TONE_HZ)
        await call.say(utterances[1].path)
        reply = await call.listen(timeout_s=HEARD_WITHIN_S)
        assert reply.first_audio_at is not None
        assert is_tone(reply.samples, fakes.TONE_HZ), "the next turn did not work"


@pytest.mark.parametrize("stage", ["llm", "tts"])
async def test_a_slow_stage_is_waited_for(
    stack: Stack, models: FakeModels, utterances: list[Utterance], stage: str
) -> None:
    """A late answer is an answer: no apology before it."""
    models.llm = models.tts = "ok"
    async with Phone() as phone:
        call = await phone.dial(world.NUMBER, server=world.server(stack))
        await call.listen()
        setattr(models, stage, "slow")
        try:
            await call.say(utterances[0].path)
            reply = await call.listen(timeout_s=HEARD_WITHIN_S)
        finally:
            setattr(models, stage, "ok")
        assert is_tone(reply.samples, fakes.TONE_HZ)

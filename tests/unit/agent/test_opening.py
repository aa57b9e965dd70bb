"""What must be said first is said first; nothing is recorded that nobody was told of."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import ChatContext, ChatMessage, StopResponse

from voice_agent import opening
from voice_agent.opening import ANNOUNCE_TEXT, ASK_TEXT, Opening, understood
from voice_agent.recording import private_file
from voice_agent.settings import AgentSettings


class Speech:
    """Said at once; `heard`: it was really played."""

    def __init__(self, heard: bool) -> None:
        self.chat_items = ["said"] if heard else []
        self.interrupted = False

    def __await__(self) -> Any:
        return asyncio.sleep(0).__await__()


class Room:
    """Where keys come from."""

    def __init__(self) -> None:
        self.on_key: Any = None

    def on(self, _event: str, handler: Any) -> None:
        self.on_key = handler

    def off(self, _event: str, _handler: Any) -> None:
        self.on_key = None

    def press(self, key: str) -> None:
        self.on_key(type("Key", (), {"digit": key}))


class World:
    """A session whose caller answers as told."""

    def __init__(self, *, heard: bool = True) -> None:
        self.said: list[str] = []
        self.room = Room()
        self.current_agent = type("Agent", (), {})()
        self.started = False
        self.user_state = "listening"
        self.heard = heard
        self.answer: Any = lambda: None

    def say(self, text: str, *, allow_interruptions: bool) -> Speech:
        assert not allow_interruptions
        self.said.append(text)
        if text == ASK_TEXT:
            self.answer()
        return Speech(self.heard)

    async def start(self) -> None:
        self.started = True

    async def words(self, text: str) -> None:
        message = ChatMessage(role="user", content=[text])
        with pytest.raises(StopResponse):  # the agent does not reply to it
            await self.current_agent.on_user_turn_completed(ChatContext.empty(), message)


def made(monkeypatch: pytest.MonkeyPatch, settings: AgentSettings, world: World) -> Opening:
    monkeypatch.setattr(opening, "Recording", lambda *_: world)
    monkeypatch.setattr(opening, "ANSWER_S", 0.05)
    monkeypatch.setattr(opening, "LONGEST_ANSWER_S", 0.5)
    monkeypatch.setattr(opening, "LOOK_S", 0.01)
    return Opening(world, world, settings)  # type: ignore[arg-type]


def having(settings: AgentSettings, **changes: str) -> AgentSettings:
    return settings.model_copy(update=changes)


async def test_nothing_is_said_unless_set(
    agent_settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    await made(monkeypatch, agent_settings, world).say()
    assert (world.said, world.started) == ([], False)
    assert opening.texts(agent_settings) == []


async def test_announced_then_recorded(
    agent_settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disclosure before it; an agent that takes over announces again."""
    world = World()
    settings = having(agent_settings, recording="announce", ai_disclosure="A computer.")
    first = made(monkeypatch, settings, world)
    await first.say()
    assert world.said == opening.texts(settings) == ["A computer.", ANNOUNCE_TEXT]
    assert world.started
    await first.say_again()
    assert world.said[2:] == [ANNOUNCE_TEXT]


async def test_what_nobody_heard_gives_no_right(
    agent_settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The voice is down, or the caller has hung up: no recording."""
    for recording in ("announce", "ask"):
        world = World(heard=False)
        await made(monkeypatch, having(agent_settings, recording=recording), world).say()
        assert not world.started


@pytest.mark.parametrize(
    ("key", "words", "agreed", "asked"),
    [
        ("1", "", True, 1),
        ("2", "", False, 1),
        ("7", "", False, 2),
        ("", "Yes, sure.", True, 1),
        ("", "No.", False, 1),
        ("", "What time is it?", False, 2),
        ("", "", False, 2),
    ],
)
async def test_asked(
    agent_settings: AgentSettings, monkeypatch: pytest.MonkeyPatch,
    key: str, words: str, agreed: bool, asked: int,
) -> None:  # fmt: skip
    """Only a yes is a yes; anything else is asked once more, and then is a no."""
    world = World()
    tasks: list[asyncio.Task[None]] = []

    def answer() -> None:
        if key:
            world.room.press(key)
        if words:
            tasks.append(asyncio.create_task(world.words(words)))

    world.answer = answer
    await made(monkeypatch, having(agent_settings, recording="ask"), world).say()
    assert (world.started, world.said) == (agreed, [ASK_TEXT] * asked)
    assert world.room.on_key is None
    assert not hasattr(world.current_agent, "on_user_turn_completed")


async def test_a_long_answer_is_waited_for(
    agent_settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While he speaks the time does not run; on a line that is never quiet it does end."""
    world = World()
    world.answer = lambda: setattr(world, "user_state", "speaking")
    first = made(monkeypatch, having(agent_settings, recording="ask"), world)
    saying = asyncio.create_task(first.say())
    await asyncio.sleep(0.2)  # four times as long as silence is waited for
    assert world.said == [ASK_TEXT]
    world.room.press("1")
    await saying
    assert world.started
    noisy = World()
    noisy.user_state = "speaking"
    await made(monkeypatch, having(agent_settings, recording="ask"), noisy).say()
    assert (noisy.started, noisy.said) == (False, [ASK_TEXT] * 2)


@pytest.mark.parametrize(
    ("text", "agreed"),
    [
        ("Yes.", True),
        ("Okay, go ahead.", True),
        ("Yes... no, I'd rather not.", False),
        ("I don't think so", False),
        ("Do not record me", False),
        ("I know a good place", None),
        ("Nothing yet", None),
        ("", None),
    ],
)
def test_what_counts_as_an_answer(text: str, agreed: bool | None) -> None:
    """Whole words; a no outranks a yes."""
    assert understood(text) is agreed


def test_a_recording_is_its_owners(tmp_path: Path) -> None:
    """Before the first sample is in it."""
    file = private_file(tmp_path / "recordings", "call-x")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700

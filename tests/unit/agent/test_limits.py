"""Calls end when they are too long or silent, and never without a word before."""

import asyncio
from typing import Any

import pytest
from livekit.agents import UserStateChangedEvent

from voice_agent import limits
from voice_agent.settings import AgentSettings


class Session:
    """Notes what is said; saying it takes no time."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[str] = asyncio.Queue()
        self.resets = 0

    def reset_away_timer(self) -> None:
        self.resets += 1

    def say(self, text: str, **_: Any) -> "asyncio.Future[None]":
        self.said.put_nowait(text)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    event = asyncio.Event()

    async def hang_up() -> None:
        event.set()

    monkeypatch.setattr(limits, "hang_up", hang_up)
    return event


def limited(
    settings: AgentSettings, *, minutes: float = 60, silence_s: float = 60
) -> tuple[limits.Limits, Session]:
    session = Session()
    changed = settings.model_copy(update={"max_call_minutes": minutes, "silence_s": silence_s})
    return limits.Limits(session, changed), session  # type: ignore[arg-type]


def state(new: str, old: str = "listening") -> UserStateChangedEvent:
    return UserStateChangedEvent.model_validate({"old_state": old, "new_state": new})


async def test_a_long_call_is_warned_then_ended(
    agent_settings: AgentSettings, ended: asyncio.Event
) -> None:
    """The warning comes while there is time for a last word."""
    limit, session = limited(agent_settings, minutes=0.5 / 60)
    async with asyncio.timeout(5):
        assert await session.said.get() == limits.WARNING_TEXT
        assert not ended.is_set()
        assert await session.said.get() == limits.TIME_UP_TEXT
        await ended.wait()
    await limit.stop()


async def test_silence_is_asked_about_then_ended(
    agent_settings: AgentSettings, ended: asyncio.Event
) -> None:
    """Nobody answers the question."""
    limit, session = limited(agent_settings, silence_s=0.1)
    limit.on_user_state(state("away"))
    limit.on_user_state(state("away"))
    async with asyncio.timeout(5):
        assert await session.said.get() == limits.STILL_THERE_TEXT
        assert await session.said.get() == limits.SILENT_TEXT
        await ended.wait()
    await limit.stop()


async def test_whoever_speaks_stays(agent_settings: AgentSettings, ended: asyncio.Event) -> None:
    """The clock stops; a later silence is asked about anew."""
    limit, session = limited(agent_settings, silence_s=0.1)
    limit.on_user_state(state("away"))
    assert await session.said.get() == limits.STILL_THERE_TEXT
    limit.on_user_state(state("speaking"))
    await asyncio.sleep(0.2)
    assert not ended.is_set()
    assert session.said.empty()
    limit.on_user_state(state("away"))
    assert await session.said.get() == limits.STILL_THERE_TEXT
    await limit.stop()


async def test_a_key_is_a_sign_of_life(agent_settings: AgentSettings, ended: asyncio.Event) -> None:
    """Who types after the question is not hung up on."""
    limit, session = limited(agent_settings, silence_s=0.1)
    limit.on_user_state(state("away"))
    assert await session.said.get() == limits.STILL_THERE_TEXT
    limit.on_user_state(state("listening", old="away"))
    await asyncio.sleep(0.2)
    assert not ended.is_set()
    await limit.stop()


async def test_silence_on_hold_means_nothing(
    agent_settings: AgentSettings, ended: asyncio.Event
) -> None:
    """Neither asked about nor ended, not even when it was asked about just before."""
    limit, session = limited(agent_settings, silence_s=0.1)
    limit.on_user_state(state("away"))
    assert await session.said.get() == limits.STILL_THERE_TEXT
    limit.pause()
    limit.on_user_state(state("away"))
    await asyncio.sleep(0.2)
    assert not ended.is_set()
    assert session.said.empty()
    limit.resume()
    assert session.resets == 1
    limit.on_user_state(state("away"))
    assert await session.said.get() == limits.STILL_THERE_TEXT
    await limit.stop()

"""Every way in which a turn can fail ends in one apology."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from voice_agent import rescue


class Session:
    """As much of an AgentSession as rescue.py touches."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}
        self.agent_state, self.user_state = "listening", "listening"
        self.current_speech: object | None = None
        self.said: list[str] = []
        self.interrupted = 0
        self.spoke = asyncio.Event()

    def on(self, name: str, handler: Any) -> None:
        self.handlers[name] = handler

    def interrupt(self, *, force: bool) -> None:
        assert force
        self.interrupted += 1

    def say(self, text: str, *, audio: Any, add_to_chat_ctx: bool) -> None:
        assert audio is not None  # no model is needed for it
        assert not add_to_chat_ctx
        self.said.append(text)
        self.spoke.set()

    def agent(self, old: str, new: str) -> None:
        self.agent_state = new
        self.handlers["agent_state_changed"](SimpleNamespace(old_state=old, new_state=new))


@pytest.fixture
def session() -> Session:
    session = Session()
    rescue.watch(session)  # type: ignore[arg-type]
    return session


def error(kind: str, *, recoverable: bool = False) -> Any:
    inner = SimpleNamespace(type=f"{kind}_error", recoverable=recoverable, error=OSError("down"))
    return SimpleNamespace(error=inner)


async def test_an_error_is_heard_once(session: Session) -> None:
    """Two stages that report the same failure make one apology."""
    session.handlers["error"](error("llm"))
    session.handlers["error"](error("tts"))
    assert len(session.said) == 1
    assert session.interrupted == 1  # what hung must not stand before the apology


async def test_a_retry_is_not_heard(session: Session) -> None:
    """What the framework still tries needs no words."""
    session.handlers["error"](error("stt", recoverable=True))
    assert session.said == []


async def test_silence_is_heard(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that hangs without an error ends in an apology too."""
    monkeypatch.setattr(rescue, "THINKING_LIMIT_S", 0.01)
    session.agent("listening", "thinking")
    async with asyncio.timeout(2):
        await session.spoke.wait()
    assert len(session.said) == 1


async def test_an_empty_reply_is_heard(session: Session) -> None:
    """The model answered nothing: the agent goes back to listening without a word."""
    session.agent("listening", "thinking")
    session.agent("thinking", "listening")
    assert len(session.said) == 1


async def test_an_answer_is_left_alone(session: Session) -> None:
    """Thinking, speaking, listening: all is well."""
    session.agent("listening", "thinking")
    session.agent("thinking", "speaking")
    session.agent("speaking", "listening")
    assert session.said == []


async def test_a_caller_who_goes_on_is_not_interrupted(session: Session) -> None:
    """Thinking ends because the caller speaks again: no apology."""
    session.agent("listening", "thinking")
    session.user_state = "speaking"
    session.handlers["user_state_changed"](SimpleNamespace(new_state="speaking"))
    session.agent("thinking", "listening")
    assert session.said == []


@pytest.mark.parametrize(("seconds", "apologies"), [(0.3, 0), (2.0, 1)])
async def test_unwritten_speech_is_answered(
    session: Session, seconds: float, apologies: int
) -> None:
    """Speech without a transcript is apologised for, a cough is not."""
    session.handlers["user_transcription_timeout"](SimpleNamespace(speech_duration=seconds))
    assert len(session.said) == apologies

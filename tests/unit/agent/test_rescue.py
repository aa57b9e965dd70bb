"""Every way in which a turn can fail ends in one apology."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from livekit.agents import ChatMessage, ConversationItemAddedEvent

from voice_agent import rescue


class Reply:
    """As much of a SpeechHandle."""

    interrupted = False

    def add_done_callback(self, callback: Any) -> None:
        self.callback = callback

    def finish(self, *, interrupted: bool = False) -> None:
        self.interrupted = interrupted
        self.callback(self)


class Session:
    """As much of an AgentSession as rescue.py touches."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}
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

    def user(self, state: str) -> None:
        self.handlers["user_state_changed"](SimpleNamespace(new_state=state))

    def asks(self) -> None:
        """The caller's turn is complete."""
        item = ChatMessage(role="user", content=["When are you open?"])
        self.handlers["conversation_item_added"](ConversationItemAddedEvent(item=item))

    def replies(self) -> "Reply":
        """A reply is being made."""
        reply = Reply()
        self.handlers["speech_created"](SimpleNamespace(speech_handle=reply))
        return reply

    def agent(self, old: str, new: str) -> None:
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
    session.asks()
    session.handlers["error"](error("llm"))
    session.handlers["error"](error("tts"))
    assert len(session.said) == 1
    assert session.interrupted == 1  # what hung must not stand before the apology


async def test_a_retry_is_not_heard(session: Session) -> None:
    """What the framework still tries needs no words."""
    session.handlers["error"](error("stt", recoverable=True))
    assert session.said == []


@pytest.mark.parametrize(("stage", "apologies"), [("llm", 0), ("tts", 0), ("stt", 1)])
async def test_an_early_answer_may_fail(session: Session, stage: str, apologies: int) -> None:
    """The caller has not finished: the answer is made anew when he has; deaf ears are not."""
    session.user("speaking")
    session.handlers["error"](error(stage))
    assert len(session.said) == apologies


async def test_a_greeting_that_fails_is_heard(session: Session) -> None:
    """Nobody has spoken yet; silence would be all that the caller hears."""
    session.handlers["error"](error("tts"))
    assert len(session.said) == 1


async def test_silence_is_heard(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that hangs without an error ends in an apology too."""
    monkeypatch.setattr(rescue, "SILENCE_LIMIT_S", 0.01)
    session.asks()
    async with asyncio.timeout(2):
        await session.spoke.wait()
    assert len(session.said) == 1


def tools(*, reply: bool = False, handoff: bool = False) -> Any:
    return SimpleNamespace(has_tool_reply=reply, has_agent_handoff=handoff)


async def test_a_hand_over_is_no_empty_reply(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next agent speaks; if it does not, that is a failure after all."""
    monkeypatch.setattr(rescue, "SILENCE_LIMIT_S", 0.05)
    reply = session.replies()
    session.asks()
    session.handlers["function_tools_executed"](tools(handoff=True))
    reply.finish()
    assert session.said == []
    async with asyncio.timeout(2):
        await session.spoke.wait()
    assert len(session.said) == 1


async def test_a_tool_that_found_something_owes_words(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was said while it ran was no answer; a tool that wants no reply owes none."""
    monkeypatch.setattr(rescue, "SILENCE_LIMIT_S", 0.01)
    session.asks()
    session.agent("thinking", "speaking")
    session.handlers["function_tools_executed"](tools())
    await asyncio.sleep(0.05)
    assert session.said == []
    session.handlers["function_tools_executed"](tools(reply=True))
    async with asyncio.timeout(2):
        await session.spoke.wait()
    assert len(session.said) == 1


async def test_an_empty_reply_is_heard(session: Session) -> None:
    """The model answered nothing: the reply is done and not a word was spoken."""
    reply = session.replies()
    session.asks()
    reply.finish()
    assert len(session.said) == 1


async def test_an_answer_is_left_alone(session: Session) -> None:
    """Asked, spoken, done: all is well."""
    reply = session.replies()
    session.asks()
    session.agent("thinking", "speaking")
    reply.finish()
    assert session.said == []


async def test_a_discarded_reply_is_no_failure(session: Session) -> None:
    """An early answer to words that changed is thrown away; another one is on its way."""
    reply = session.replies()
    session.asks()
    reply.finish(interrupted=True)
    assert session.said == []


async def test_a_caller_who_goes_on_is_not_interrupted(session: Session) -> None:
    """He speaks again before the answer: nothing is owed for the half question."""
    reply = session.replies()
    session.asks()
    session.user("speaking")
    reply.finish()
    assert session.said == []


@pytest.mark.parametrize(("seconds", "apologies"), [(0.3, 0), (2.0, 1)])
async def test_unwritten_speech_is_answered(
    session: Session, seconds: float, apologies: int
) -> None:
    """Speech without a transcript is apologised for, a cough is not."""
    session.handlers["user_transcription_timeout"](SimpleNamespace(speech_duration=seconds))
    assert len(session.said) == apologies

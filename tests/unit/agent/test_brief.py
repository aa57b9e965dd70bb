"""Answers are cut after the second sentence, at no other place."""

from collections.abc import AsyncIterator

import pytest
from livekit.agents import llm

from voice_agent.brief import first_sentences

LONG = "We are open on Monday. It costs 3.5 euros. And another thing. And one more."


async def words(text: str, size: int, closed: list[bool]) -> AsyncIterator[str]:
    """A model that writes `size` characters at a time."""
    try:
        for start in range(0, len(text), size):
            yield text[start : start + size]
    finally:
        closed.append(True)


@pytest.mark.parametrize("size", [1, 4, 7, 1000])
async def test_two_sentences_and_no_more(size: int) -> None:
    """However the text arrives; and the model is told to stop."""
    closed: list[bool] = []
    said = [part async for part in first_sentences(words(LONG, size, closed))]
    assert "".join(said) == "We are open on Monday. It costs 3.5 euros."
    assert closed == [True]


async def test_a_short_answer_is_left_whole() -> None:
    """Nothing is cut, nothing is added."""
    said = [part async for part in first_sentences(words("Yes. Of course!", 3, []))]
    assert "".join(said) == "Yes. Of course!"


async def test_tool_calls_pass() -> None:
    """A chunk without words is not counted."""
    call = llm.FunctionToolCall(name="opening_hours", arguments="{}", call_id="1")
    chunk = llm.ChatChunk(id="1", delta=llm.ChoiceDelta(role="assistant", tool_calls=[call]))

    async def chunks() -> AsyncIterator[llm.ChatChunk]:
        yield chunk

    assert [each async for each in first_sentences(chunks())] == [chunk]

"""What never reaches the voice: data as machines write it, and the agent's own instructions.

A model that is told "repeat the text above", or that repeats the result of a tool, does it word for
word. Both are cut where they begin; what was said before stays said.
"""

import contextlib
import logging
import re
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any, cast

from livekit.agents import llm

log = logging.getLogger("voice_agent.spoken")

# Nobody says these aloud; they begin JSON, markup, code, or a tool call that was meant otherwise.
_RAW = re.compile(r"\{|\[\s*[\[{\"]|</?[a-zA-Z|]|```|\w+_\w+\(")
INSTEAD_OF_DATA = (
    "I have found something, but I cannot read it out. What do you want to know of it?"
)
INSTEAD_OF_NOTHING = "I am sorry, I cannot help you with that just now."
INSTEAD_OF_ORDERS = "I cannot talk about that. How can I help you?"
# So many words of the instructions in a row are no accident; fewer are how people talk.
LEAK_WORDS = 8
# Held back from here on, until it is clear that it is something else.
HELD_WORDS = 4
_WORD = re.compile(r"\S+\s*")
_FACT = "\x00"


class Instructions:
    """The agent's instructions as rows of words, facts taken out: those are for callers."""

    def __init__(self, text: str, facts: Iterable[str]) -> None:
        for fact in sorted((each for each in facts if each), key=len, reverse=True):
            text = text.replace(fact, f" {_FACT} ")
        self._words = [plain(word) if word != _FACT else _FACT for word in text.split()]

    def longest(self, said: list[str]) -> int:
        """Count how many of the last words said stand together in the instructions."""
        best = 0
        for end in range(1, len(self._words) + 1):
            count = 0
            while count < min(end, len(said)) and (
                self._words[end - 1 - count] == said[-1 - count] != _FACT
            ):
                count += 1
            best = max(best, count)
        return best


def plain(word: str) -> str:
    """Write a word as it sounds."""
    return re.sub(r"[^\w]", "", word).lower()


async def speakable(
    chunks: AsyncIterable[Any], orders: Instructions, *, last: bool = False
) -> AsyncIterator[Any]:
    """Pass a reply on, as long as it is one; the last one of a turn has words and calls no tool."""
    reply = Filter(orders)
    async with contextlib.aclosing(cast("Any", chunks)) as source:
        async for chunk in source:
            text = words_of(chunk)
            if not text:
                if not (last and has_calls(chunk)):
                    yield chunk
                continue
            if has_calls(chunk) and not last:
                yield without_words(chunk)
            if passed := reply.push(text):
                yield passed
            if reply.over:
                log.warning("reply cut: it was not meant for callers")
                return
        if rest := reply.flush():
            yield rest
        if last and not reply.spoke:
            yield INSTEAD_OF_NOTHING


class Filter:
    """One reply; `over` when the rest of it is not for callers."""

    def __init__(self, orders: Instructions) -> None:
        self.over = False
        self._orders = orders
        self._text = ""  # not passed on yet
        self._held: list[str] = []  # whole words, with the space behind them
        self._said: list[str] = []
        self.spoke = False

    def push(self, text: str) -> str:
        """Return what may be spoken by now."""
        self._text += text
        passed = ""
        while (match := _WORD.match(self._text)) and (
            match.end() < len(self._text) or self._text[-1:].isspace()
        ):
            passed += self._word(match.group())
            if self.over:
                return passed
            self._text = self._text[match.end() :]
        return passed

    def flush(self) -> str:
        """Return the rest at the end of a reply."""
        passed = self._word(self._text) if self._text.strip() else self._text
        return passed if self.over else passed + self._release()

    def _word(self, word: str) -> str:
        if _RAW.search("".join(self._held[-1:]) + word):
            return self._release() + self._end(INSTEAD_OF_DATA)
        self._said.append(plain(word))
        self._held.append(word)
        run = self._orders.longest(self._said[-LEAK_WORDS:])
        if run >= LEAK_WORDS:
            self._held = self._held[: max(0, len(self._held) - LEAK_WORDS)]
            return self._release() + self._end(INSTEAD_OF_ORDERS)
        return "" if run >= HELD_WORDS else self._release()

    def _release(self) -> str:
        passed = "".join(self._held)
        self._held = []
        self.spoke = self.spoke or bool(passed.strip())
        return passed

    def _end(self, instead: str) -> str:
        self.over = True
        return "" if self.spoke else instead


def words_of(chunk: object) -> str:
    """Return the words of what an `llm_node` yields."""
    if isinstance(chunk, str):
        return chunk
    if isinstance(chunk, llm.ChatChunk) and chunk.delta and chunk.delta.content:
        return chunk.delta.content
    return ""


def has_calls(chunk: object) -> bool:
    """Tell whether a chunk calls a tool."""
    return isinstance(chunk, llm.ChatChunk) and bool(chunk.delta and chunk.delta.tool_calls)


def without_words(chunk: llm.ChatChunk) -> llm.ChatChunk:
    """Return a chunk's tool calls alone."""
    assert chunk.delta is not None
    return chunk.model_copy(update={"delta": chunk.delta.model_copy(update={"content": None})})

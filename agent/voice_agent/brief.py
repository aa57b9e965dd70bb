"""Keep spoken answers short, whatever the model writes.

A small model told to answer in one sentence goes on; nobody on a phone wants to hear more than two.
"""

import contextlib
import re
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, cast

from livekit.agents import llm

MAX_SENTENCES = 2

# An end counts when white space follows: "3.5" has none, and the last sentence needs no cut.
_END = re.compile(r"[.!?…](?=\s)")


async def first_sentences(
    chunks: AsyncIterable[Any], limit: int = MAX_SENTENCES
) -> AsyncIterator[Any]:
    """Pass a reply on until `limit` sentences are over; then end the model's work.

    Chunks are what an `llm_node` yields: text, `llm.ChatChunk` (tool calls pass), or anything else.
    """
    reply = ""
    async with contextlib.aclosing(cast("Any", chunks)) as source:
        async for chunk in source:
            text = _text(chunk)
            allowed = _allowed(reply, text, limit)
            reply += text
            if len(allowed) == len(text):
                yield chunk
                continue
            if allowed:
                yield allowed
            return


def _text(chunk: object) -> str:
    if isinstance(chunk, str):
        return chunk
    if isinstance(chunk, llm.ChatChunk) and chunk.delta and chunk.delta.content:
        return chunk.delta.content
    return ""


def _allowed(before: str, text: str, limit: int) -> str:
    """Return the part of `text` that still belongs to the first `limit` sentences."""
    ends = [match.end() for match in _END.finditer(before + text)]
    if len(ends) < limit:
        return text
    return text[: max(0, ends[limit - 1] - len(before))]

"""The knowledge folder: text files, found by their words (SQLite FTS5, BM25), read out by nobody.

docs/decisions/knowledge.md says why no embeddings.
"""

import asyncio
import logging
import re
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from livekit.agents import function_tool
from livekit.agents.llm import FunctionTool

from voice_agent.rules import rule

log = logging.getLogger("voice_agent.knowledge")

KINDS = {".md", ".txt"}
# What one machine's office writes about itself; a folder of more was named by mistake.
MOST_FILES = 500
MOST_FILE_BYTES = 1_000_000
MOST_BYTES = 10_000_000
PASSAGE_CHARS = 700
FOUND = 3
MOST_QUESTION_CHARS = 500
NOTHING = "Nothing is written about that. Say so, and offer to take a message."
_HEADING = re.compile(r"^#{1,6}\s+(.*)$")
_WORD = re.compile(r"\w+")
# Words that are in every question, and say nothing about it.
_EMPTY = frozenset(
    re.findall(
        r"\w+",
        "a an and any are as at be been by can could did do does for from get had has have how i "
        "if in into is it its me my of on or our please shall should so tell than that the their "
        "them there they this to us was we were what when where which who will with would you your",
    )
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a file."""

    file: str
    heading: str
    text: str


class Library:
    """The folder's index, in memory; made anew when a file has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: tuple[tuple[str, int, int], ...] | None = None
        self._index = sqlite3.connect(":memory:", check_same_thread=False)
        self._one_at_a_time = threading.Lock()

    def search(self, question: str, most: int = FOUND) -> list[Passage]:
        """Return the passages that fit best."""
        with self._one_at_a_time:
            return self._search(question, most)

    def _search(self, question: str, most: int) -> list[Passage]:
        self._refresh()
        words = [word for word in _WORD.findall(question.lower()) if word not in _EMPTY]
        if not words:
            return []
        # Quoted: what a caller says is never a query language's word.
        query = " OR ".join(f'"{word}"' for word in dict.fromkeys(words))
        rows = self._index.execute(
            "SELECT file, heading, text FROM passages WHERE passages MATCH ?"
            " ORDER BY bm25(passages, 0.5, 2.0, 1.0) LIMIT ?",
            (query, most),
        )
        return [Passage(*row) for row in rows]

    def _refresh(self) -> None:
        files = list(self._files())
        seen = tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files)
        if seen == self._seen:
            return
        index = sqlite3.connect(":memory:", check_same_thread=False)
        index.execute(
            "CREATE VIRTUAL TABLE passages USING fts5"
            "(file, heading, text, tokenize='porter unicode61 remove_diacritics 2')"
        )
        for file in files:
            name = str(file.relative_to(self._folder))
            text = file.read_text("utf-8", errors="replace")
            index.executemany(
                "INSERT INTO passages VALUES (?, ?, ?)",
                [(name, heading, piece) for heading, piece in passages(text)],
            )
        self._index, self._seen = index, seen
        log.info("knowledge read", extra={"files": len(files)})

    def _files(self) -> Iterator[Path]:
        """Text files of the folder itself: no link leads out of it, no size without an end."""
        count = size = 0
        for file in sorted(self._folder.rglob("*")):
            if file.suffix.lower() not in KINDS or file.is_symlink() or not file.is_file():
                continue
            if not file.resolve().is_relative_to(self._folder.resolve()):
                continue
            bytes_ = file.stat().st_size
            if bytes_ > MOST_FILE_BYTES or count >= MOST_FILES or size + bytes_ > MOST_BYTES:
                log.warning("file left out of the knowledge: too much", extra={"file": file.name})
                continue
            count, size = count + 1, size + bytes_
            yield file


def passages(text: str) -> Iterator[tuple[str, str]]:
    """Cut a text at its headings, and what is long at its paragraphs."""
    heading, piece = "", ""
    for block in re.split(r"\n\s*\n|(?<=\n)(?=#{1,6}\s)", text):
        lines = block.strip().splitlines()
        while lines and (match := _HEADING.match(lines[0])):
            if piece:
                yield heading, piece
            heading, piece = match.group(1).strip(), ""
            lines = lines[1:]
        body = " ".join(line.strip() for line in lines)
        while body:
            if piece and len(piece) + len(body) > PASSAGE_CHARS:
                yield heading, piece
                piece = ""
            part, body = body[:PASSAGE_CHARS], body[PASSAGE_CHARS:]
            piece = f"{piece} {part}".strip()
    if piece:
        yield heading, piece


def told(found: list[Passage]) -> str:
    """Write passages down for the model."""
    if not found:
        return NOTHING
    return "\n\n".join(f"{each.heading or each.file}: {each.text}" for each in found)


def tool(folder: Path) -> FunctionTool[Any, Any]:
    """Return the tool that looks things up in the folder."""

    @function_tool
    @rule(outside=True)
    async def look_up(question: str) -> str:
        """Look up what is written about the house: prices, directions, rules, people.

        Args:
            question: what the caller wants to know, in words.
        """
        found = await asyncio.to_thread(of(folder).search, question[:MOST_QUESTION_CHARS])
        return told(found)

    return look_up


@lru_cache(maxsize=4)
def of(folder: Path) -> Library:
    """Return the folder's library, the same one for all agents of a process."""
    return Library(folder)

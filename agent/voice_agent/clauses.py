"""Cut the language model's stream into pieces to speak: the first one short, the rest in sentences.

The first piece decides when the caller hears something. The framework's default waits for a whole
sentence of at least 20 characters and ten more (livekit-agents 1.8.9, tokenize/blingfire.py).
"""

import re
from dataclasses import dataclass

from livekit.agents import tokenize
from livekit.agents.tokenize.tokenizer import SentenceStream

# A first piece of fewer words sounds chopped off; one of more words keeps the caller waiting.
FIRST_MIN_WORDS = 2
FIRST_MAX_WORDS = 4
# Later pieces have time: the first is being spoken. Piper's melody is made per piece.
LATER_MIN_CHARS = 20
LATER_COMMA_CHARS = 80
LATER_MAX_CHARS = 200

# An end counts when something follows: "3.5" and "e.g." are not over while they arrive.
_CLAUSE_END = re.compile(r"[,;:.!?…—](?=\s)|\n")
_SENTENCE_END = re.compile(r"[.!?…](?=\s)|\n")
_TITLE = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|St|No|a\.m|p\.m|e\.g|i\.e)\.$")


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece ready to speak, and what is left."""

    piece: str
    rest: str


def cut_first(text: str) -> Cut | None:
    """Cut the opening clause off `text`, or None while it is too short to be spoken."""
    for end in _ends(_CLAUSE_END, text):
        if len(text[:end].split()) >= FIRST_MIN_WORDS:
            return Cut(text[:end], text[end:])
    words = list(re.finditer(r"\S+\s+", text))
    if len(words) > FIRST_MAX_WORDS:
        end = words[FIRST_MAX_WORDS - 1].end()
        return Cut(text[:end], text[end:])
    return None


def cut_later(text: str) -> Cut | None:
    """Cut a sentence, or a long clause, off `text`."""
    for end in _ends(_SENTENCE_END, text):
        if end >= LATER_MIN_CHARS:
            return Cut(text[:end], text[end:])
    for end in _ends(_CLAUSE_END, text):
        if end >= LATER_COMMA_CHARS:
            return Cut(text[:end], text[end:])
    if len(text) > LATER_MAX_CHARS:
        end = text.rfind(" ", 0, LATER_MAX_CHARS) + 1 or LATER_MAX_CHARS
        return Cut(text[:end], text[end:])
    return None


def _ends(pattern: re.Pattern[str], text: str) -> list[int]:
    ends = [match.end() for match in pattern.finditer(text)]
    return [end for end in ends if not _TITLE.search(text[:end])]


class ClauseTokenizer(tokenize.SentenceTokenizer):
    """For `tts.StreamAdapter`."""

    def tokenize(self, text: str, *, language: str | None = None) -> list[str]:
        """Cut a whole text at once."""
        pieces: list[str] = []
        cutter = cut_first
        while cut := cutter(text):
            pieces.append(cut.piece)
            text, cutter = cut.rest, cut_later
        return [*pieces, text] if text.strip() else pieces

    def stream(self, *, language: str | None = None) -> SentenceStream:
        """Cut a text while it arrives."""
        return ClauseStream()


class ClauseStream(SentenceStream):
    """Pieces of one reply, in order; nothing is lost or added."""

    def __init__(self) -> None:
        super().__init__()
        self._pending = ""
        self._first = True

    def push_text(self, text: str) -> None:
        """Take what the model wrote next."""
        self._check_not_closed()
        self._pending += text
        while cut := (cut_first if self._first else cut_later)(self._pending):
            self._emit(cut.piece)
            self._pending = cut.rest

    def flush(self) -> None:
        """Speak what is left; the next text begins a new reply."""
        self._check_not_closed()
        if self._pending.strip():
            self._emit(self._pending)
        self._pending, self._first = "", True

    def end_input(self) -> None:
        """Speak what is left and end."""
        self.flush()
        self._do_close()

    async def aclose(self) -> None:
        """End without speaking the rest."""
        self._do_close()

    def _emit(self, piece: str) -> None:
        self._event_ch.send_nowait(tokenize.TokenData(token=piece))
        self._first = False

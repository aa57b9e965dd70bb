"""A yes that counts: spoken or typed by the caller after a question that the code has asked.

The language model neither asks nor decides. It may be tricked; the question is made from the very
arguments that the tool would run with, and the answer is read here.
"""

import re
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

# A question that nobody has answered by then is off.
VALID_S = 30.0
# A longer answer is no plain yes: "yes but the other one, on Friday at nine".
MOST_WORDS = 7
YES_KEY = "1"
PRESSED = "(pressed key 1)"

_YES = re.compile(
    r"\b(yes|yeah|yep|correct|right|sure|okay|ok|please do|go ahead"
    r"|ja|jawohl|genau|richtig|gerne|s[ií]|claro|correcto|vale|oui|exact|d'accord|volontiers)\b",
    re.IGNORECASE,
)
_NO = re.compile(
    r"\b(no|not|don't|do not|never|wait|stop|wrong|cancel|if|but"
    r"|nein|nicht|kein|falsch|halt|aber|pero|nunca|non|pas|jamais|mais)\b",
    re.IGNORECASE,
)
# What is read back comes from a model: letters, digits and what belongs between them.
_UNSPEAKABLE = re.compile(r"[^\w\s.,:+@'-]")
MOST_CHARS = 60


@dataclass(frozen=True, slots=True)
class Question:
    """A tool that waits for the caller's yes."""

    tool: str
    arguments: Mapping[str, Any]
    text: str
    key_only: bool
    asked_at_s: float

    def asked_now(self) -> "Question":
        """Return it with the moment at which it was heard to its end."""
        return replace(self, asked_at_s=time.time())

    def stands(self) -> bool:
        """Tell whether it may still be answered."""
        return time.time() - self.asked_at_s < VALID_S

    def is_about(self, tool: str, arguments: Mapping[str, Any]) -> bool:
        """Tell whether a call is the one that was asked about, word for word."""
        return (tool, dict(arguments)) == (self.tool, dict(self.arguments))


def is_yes(text: str) -> bool:
    """Take a short plain yes for a yes, and nothing else."""
    if len(text.split()) > MOST_WORDS or _NO.search(text):
        return False
    return bool(_YES.search(text))


def spoken(template: str, arguments: Mapping[str, Any]) -> str:
    """Put the arguments into the question, as they can be said aloud."""
    said: defaultdict[str, str] = defaultdict(lambda: "it")
    for name, value in arguments.items():
        said[name] = _UNSPEAKABLE.sub(" ", str(value))[:MOST_CHARS]
    return template.format_map(said)

"""Numbers out of what was said: what is kept must not hold a caller's card or telephone."""

import re
from typing import Literal

Redaction = Literal["numbers", "cards", "off"]

# Digits as speech recognition writes them: in groups, with spaces, dashes, dots, brackets between.
RUN = re.compile(r"\+?\d(?:[ \-./()]{0,2}\d){6,}")
# An account number read out one by one. Long numbers are what matters: "one or two" stays.
SPOKEN = re.compile(
    r"\b(?:(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple)\b[\s,.\-]*){7,}",
    re.IGNORECASE,
)
# ISO/IEC 7812-1: 8 to 19 digits; cards in use have 13 and more.
CARD_DIGITS = range(13, 20)
HIDDEN = "(number)"


def redact(text: str, which: Redaction) -> str:
    """The text without numbers of 7 and more digits, or without those of cards."""
    if which == "off":
        return text
    hidden = RUN.sub(lambda match: _hidden(match[0], which), text)
    return SPOKEN.sub(f"{HIDDEN} ", hidden).rstrip() if which == "numbers" else hidden


def _hidden(run: str, which: Redaction) -> str:
    digits = [char for char in run if char.isdigit()]
    if which == "cards" and not (
        len(digits) in CARD_DIGITS and luhn([int(each) for each in digits])
    ):
        return run
    return HIDDEN + "".join(digits[-2:])


def luhn(digits: list[int]) -> bool:
    """The check digit of card numbers (ISO/IEC 7812-1, annex B)."""
    doubled = [each if at % 2 == 0 else each * 2 for at, each in enumerate(reversed(digits))]
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0

"""What must never leave this machine: secrets, tokens, phone numbers."""

import re
from collections.abc import Iterable
from pathlib import Path

HIDDEN = "<hidden>"
# Three parts of base64url, the first of which begins with the letters of `{"`.
TOKEN = re.compile(r"eyJ[\w-]{5,}\.[\w-]*\.?[\w-]*")
# With a plus it is a number. Without one, only where a SIP address or a log field says so.
NUMBER = re.compile(r"\+\d{5,13}(\d\d)(?!\d)")
SIP_USER = re.compile(r"(sips?:|tel:)\+?\d{3,13}(\d\d)@?")
FIELD = re.compile(r'("(?:fromUser|toUser|caller|sip\.phoneNumber)"\s*:\s*")[^"]*?(\d\d)?"')
NAME = re.compile(r"Phone \d+")
SHORTEST_SECRET = 8


def secrets_in(folders: Iterable[Path]) -> tuple[str, ...]:
    """The content of every file that keeps a secret, longest first."""
    found = set()
    for folder in folders:
        for path in [folder] if folder.is_file() else sorted(folder.glob("*")):
            try:
                text = path.read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError):
                continue
            if len(text) >= SHORTEST_SECRET:
                found.add(text)
    return tuple(sorted(found, key=len, reverse=True))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The same text, fit for strangers; of a number the last two digits stay."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    text = TOKEN.sub(HIDDEN, text)
    text = SIP_USER.sub(lambda match: f"{match[1]}…{match[2]}@", text)
    text = FIELD.sub(lambda match: f'{match[1]}…{match[2] or ""}"', text)
    text = NUMBER.sub(lambda match: f"…{match[1]}", text)
    return NAME.sub("Phone …", text)

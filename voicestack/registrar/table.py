"""Who may register, as Kamailio reads it: two tables of its module db_text, looked at every second.

The files are written by `control` alone, whole or not at all, and only when something has changed.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from voicestack.lines.model import Phone
from voicestack.settings import Settings

# Columns of a table that Kamailio's module htable loads (its documentation, "dbtable").
# Both types are text; nothing expires.
COLUMNS = "key_name(string) key_type(int) value_type(int) key_value(string) expires(int)"


def folder(settings: Settings) -> Path:
    """Where the tables lie."""
    return settings.state_dir / "registrar"


def write(phones: Iterable[Phone], to: Path) -> bool:
    """Bring the tables up to date; tell whether anything was new."""
    known = list(phones)
    # Not `any` of a generator: both must be written.
    changed = [
        _replace(to / "users", _table((each.user, each.ha1) for each in known)),
        _replace(to / "numbers", _table((each.number, each.user) for each in known)),
    ]
    return any(changed)


def _table(rows: Iterable[tuple[str, str]]) -> str:
    # The colon parts columns; users, numbers and HA1 hold none (lines/phones.py).
    lines = [COLUMNS, *(f"{name}:0:0:{value}:0" for name, value in rows)]
    return "\n".join(lines) + "\n"


def _replace(path: Path, text: str) -> bool:
    if path.exists() and path.read_text() == text:
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.part")
    half.unlink(missing_ok=True)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    half.replace(path)
    return True

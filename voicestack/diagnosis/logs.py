"""Log lines of the services as fields; texts of other programs are no API, so read softly."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# More than the services write in a busy day at level info; the end of a larger file is read.
MOST_BYTES = 24 * 1024 * 1024

Line = dict[str, Any]


def read(path: Path, *, since: int = 0) -> Iterator[Line]:
    """Every line that is a JSON object, from byte `since` on; a file that is missing has none."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(since, size - MOST_BYTES))
            raw = file.read(MOST_BYTES)
    except OSError:
        return
    for text in raw.splitlines():
        if text.startswith(b"{"):
            try:
                value = json.loads(text)
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value


def size(path: Path) -> int:
    """Bytes so far: where what comes next will begin."""
    try:
        return path.stat().st_size
    except OSError:
        return 0

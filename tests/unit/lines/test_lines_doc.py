"""docs/lines.md names every key, and no other."""

import re
from pathlib import Path

from voicestack.lines import entry

ROOT = Path(__file__).parents[3]


def test_every_key_is_described() -> None:
    """The table of the page is the list of the reader."""
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/lines.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(entry.KEYS)

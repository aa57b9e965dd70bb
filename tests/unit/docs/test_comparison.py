"""docs/comparison.md: what it says of us is shown by a test that exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TABLE = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/comparison.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| at install")
]
# What cannot be shown by running anything: that something is not there.
WITHOUT = {"product telemetry to the vendor"}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_a_row_names_tests_that_exist(row: list[str]) -> None:
    """A file, or a function in it."""
    assert len(row) == 7
    named = re.findall(r"`(tests/[^`]+)`", row[-1])
    assert named or row[0] in WITHOUT
    for name in named:
        file, _, function = name.partition("::")
        text = (ROOT / file).read_text()
        assert not function or re.search(rf"^(async )?def {function}\(", text, re.MULTILINE), name

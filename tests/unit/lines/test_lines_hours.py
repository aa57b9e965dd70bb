"""Hours of a line."""

from datetime import datetime

import pytest

from voicestack.lines import hours

# 2026-11-23 is a Monday.
WEEK = {day: 23 + number for number, day in enumerate(hours.DAYS)}


@pytest.mark.parametrize(
    ("text", "when", "is_open"),
    [
        ("Mon-Fri 09:00-17:00", "mon 09:00", True),
        ("Mon-Fri 09:00-17:00", "mon 08:59", False),
        ("Mon-Fri 09:00-17:00", "fri 17:00", False),
        ("Mon-Fri 09:00-17:00, Sat 10:00-13:00", "sat 12:59", True),
        ("Mon-Fri 09:00-17:00, Sat 10:00-13:00", "sun 12:00", False),
        ("Fri-Mon 00:00-24:00", "sun 23:59", True),
        ("Fri-Mon 00:00-24:00", "tue 00:00", False),
        ("fri 22:00-02:00", "sat 01:59", True),
        ("fri 22:00-02:00", "fri 01:59", False),
    ],
)
def test_open_or_closed(text: str, when: str, is_open: bool) -> None:
    """By the machine's clock; past midnight where a span ends before it begins."""
    read = hours.read(text)
    assert read
    day, at = when.split(" ")
    hour, minute = map(int, at.split(":"))
    assert hours.is_open(read, datetime(2026, 11, WEEK[day], hour, minute)) is is_open


@pytest.mark.parametrize("text", ["", "Mon", "Mon-Fri 9-17", "Mon 25:00-26:00", "Mon 09:00-17:00;"])
def test_another_form_is_a_fault(text: str) -> None:
    """Nobody guesses when a line is closed."""
    assert hours.read(text) is None


def test_without_hours_a_line_is_open() -> None:
    """Always."""
    assert hours.is_open((), datetime(2026, 11, 26))

"""When a line is open: days and times of this machine's clock."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EXAMPLE = '"Mon-Fri 09:00-17:00, Sat 10:00-13:00"'
_DAY = "(?:mon|tue|wed|thu|fri|sat|sun)"
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_PIECE = re.compile(rf"({_DAY})(?:-({_DAY}))? ({_TIME})-({_TIME}|24:00)")


@dataclass(frozen=True, slots=True)
class Span:
    """From one time of a day to another; past midnight where it ends before it begins."""

    day: int  # 0 is Monday
    begins: time
    ends: time  # midnight is the end of the day

    def holds(self, now: datetime) -> bool:
        """Tell whether a moment lies within."""
        at, today = now.time(), now.weekday() == self.day
        if self.begins < self.ends or self.ends == time(0):
            return today and at >= self.begins and (at < self.ends or self.ends == time(0))
        yesterday = (now - timedelta(days=1)).weekday() == self.day
        return (today and at >= self.begins) or (yesterday and at < self.ends)


Hours = tuple[Span, ...]


def read(text: str) -> Hours | None:
    """Read `Mon-Fri 09:00-17:00, Sat 10:00-13:00`; None where it has another form."""
    spans: list[Span] = []
    for piece in text.lower().split(","):
        found = _PIECE.fullmatch(piece.strip())
        if found is None:
            return None
        first, last, begins, ends = found.groups()
        start, end = DAYS.index(first), DAYS.index(last or first)
        days = range(start, end + 1) if start <= end else (*range(start, 7), *range(end + 1))
        until = time(0) if ends == "24:00" else time.fromisoformat(ends)
        spans += [Span(day, time.fromisoformat(begins), until) for day in days]
    return tuple(spans)


def is_open(hours: Hours, now: datetime) -> bool:
    """Tell whether a line with these hours is open; one without is always."""
    return not hours or any(span.holds(now) for span in hours)

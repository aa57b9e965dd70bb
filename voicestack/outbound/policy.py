"""When a call of a queue is tried, tried again, or given up. Touches nothing."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from voicestack.errors import VoicestackError
from voicestack.outbound.rules import Refusal, Rules

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WINDOW = re.compile(
    r"(?:(mon|tue|wed|thu|fri|sat|sun)(?:-(mon|tue|wed|thu|fri|sat|sun))? )?"
    r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])"
)
RETRY = re.compile(r"([a-z ]+)=([1-9][0-9]?)x([1-9][0-9]{0,5})")
# What no waiting changes.
FOR_GOOD = {"emergency", "invalid number", "premium", "do not call", "not allowed"}
# How soon a cap, or a call to the same number that is up, is looked at again.
CAP_S, IN_PROGRESS_S = 60.0, 30.0


class PolicyError(VoicestackError):
    """A window or a retry that cannot be read."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a result may come before it is the last word, and how long to wait in between."""

    tries: int
    after_s: float


# People who are on the phone are free soon; who does not pick up is not there for a while. What
# went wrong on our side or the carrier's is tried again sooner, and the brake stops a series.
RETRIES = {
    "busy": Retry(3, 300),
    "no answer": Retry(3, 3600),
    "carrier error": Retry(3, 60),
    "no agent": Retry(3, 30),
    "agent lost": Retry(2, 60),
    "failed": Retry(3, 60),
}
# Results that say something of us or the carrier, not of the person.
OURS = frozenset({"carrier error", "no agent", "agent lost", "failed"})


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of some days in which may be dialled, by this machine's clock."""

    days: frozenset[int]
    start: time
    end: time

    def opens_in_s(self, now: datetime) -> float:
        """Return how long until it is open; 0 while it is."""
        for ahead in range(8):
            day = now + timedelta(days=ahead)
            if day.weekday() not in self.days:
                continue
            start, end = datetime.combine(day, self.start), datetime.combine(day, self.end)
            if now < end:
                return max(0.0, (start - now).total_seconds())
        return float("inf")


@dataclass(frozen=True, slots=True)
class Policy:
    """How a queue is worked through."""

    at_once: int = 1
    pace_s: float = 5.0
    windows: tuple[Window, ...] = ()
    retries: Mapping[str, Retry] = field(default_factory=lambda: RETRIES)
    pause_after: int = 5
    pause_s: float = 300.0
    most_pauses: int = 3


def window(text: str) -> Window:
    """Read `09:00-17:00`, `mon-fri 09:00-17:00` or `sat 10:00-12:00`."""
    found = WINDOW.fullmatch(text)
    hint = "for instance --window 'mon-fri 09:00-17:00'"
    if found is None:
        raise PolicyError(f"{text!r} is no window", hint=hint)
    first, last = found[1] or "mon", found[2] or found[1] or "sun"
    start, end = time(int(found[3]), int(found[4])), time(int(found[5]), int(found[6]))
    low, high = DAYS.index(first), DAYS.index(last)
    if start >= end or low > high:
        raise PolicyError(f"{text!r} ends before it begins", hint=f"{hint}; give two windows")
    return Window(frozenset(range(low, high + 1)), start, end)


def retries(texts: Sequence[str]) -> dict[str, Retry]:
    """Read `busy=3x300`: at most three tries, 300 s in between; the others stay as they are."""
    read = dict(RETRIES)
    for text in texts:
        found = RETRY.fullmatch(text)
        if found is None or found[1] not in {*RETRIES, "voicemail", "declined", "screened"}:
            hint = f"for instance --retry busy=3x300; results: {', '.join(RETRIES)}, voicemail, ..."
            raise PolicyError(f"{text!r} is no retry", hint=hint)
        read[found[1]] = Retry(int(found[2]), float(found[3]))
    return read


def opens_in_s(windows: Sequence[Window], now: datetime) -> float:
    """Return how long until one of the windows is open; without any it always is."""
    return min((each.opens_in_s(now) for each in windows), default=0.0)


def again_in_s(policy: Policy, result: str, seen: int) -> float | None:
    """Return when to try again after `result` came for the `seen`th time; None: it is final."""
    retry = policy.retries.get(result)
    return retry.after_s if retry is not None and seen < retry.tries else None


def postponed_s(refusal: Refusal, rules: Rules, now: datetime) -> float | None:
    """Return how long a refusal holds; None: for good."""
    if refusal.code in FOR_GOOD:
        return None
    if refusal.code == "quiet hours" and rules.quiet_until is not None:
        end = datetime.combine(now, rules.quiet_until)
        return ((end if end > now else end + timedelta(days=1)) - now).total_seconds()
    return IN_PROGRESS_S if refusal.code == "in progress" else CAP_S


class Brake:
    """Stops a queue whose calls all fail on our side: the carrier is down, not the people away."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._in_a_row = self._pauses = 0
        self.paused_until = 0.0

    @property
    def stopped(self) -> bool:
        """True when pausing has not helped."""
        return self._pauses > self._policy.most_pauses

    def note(self, result: str, now: float) -> bool:
        """Count a result; True if it begins a pause."""
        if result not in OURS:
            self._in_a_row = self._pauses = 0
            return False
        self._in_a_row += 1
        if self._in_a_row < self._policy.pause_after:
            return False
        self._in_a_row = 0
        self._pauses += 1
        self.paused_until = now + self._policy.pause_s
        return True

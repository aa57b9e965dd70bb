"""Who may be called and when: each refusal with its reason, before anything is dialled."""

import threading
from contextlib import closing
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path

import pytest

from voicestack.errors import LinesError
from voicestack.lines import outbound
from voicestack.outbound.ledger import DAY_S, HOUR_S, LONGEST_S, Ledger
from voicestack.outbound.rules import Facts, Refusal, Rules, Trunk, judge, trunk_for

NOON = datetime(2026, 11, 23, 12, 0)
NOTHING = Facts(0, 0, number_is_being_called=False)
RULES = Rules(
    trunks=(Trunk("carrier", "203.0.113.9:5060", "udp", "+15550100"),),
    allow=("+1510", "+49"),
    do_not_call=frozenset({"+15105550199"}),
    quiet_from=time(21),
    quiet_until=time(8),
    per_hour=3,
    per_day=5,
)
NUMBER = "+15105550123"


def code(number: str = NUMBER, rules: Rules = RULES, facts: Facts = NOTHING, at: datetime = NOON):
    refusal = judge(number, rules, facts, at)
    assert refusal is None or (refusal.reason and refusal.hint)
    return refusal and refusal.code


def test_what_is_allowed_may_be_called() -> None:
    assert code() is None


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("911", "emergency"),
        ("+49112", "emergency"),
        ("+44999", "emergency"),
        ("5105550123", "invalid number"),
        ("+1 510 555 0123", "invalid number"),
        ("", "invalid number"),
        ("+15105550123;x=1", "invalid number"),
        ("+19005550123", "premium"),
        ("+499005550123", "premium"),
        ("+14155550123", "not allowed"),
        ("+15105550199", "do not call"),
    ],
)
def test_numbers_that_are_refused(number: str, why: str) -> None:
    assert code(number) == why


def test_premium_is_refused_whatever_is_allowed() -> None:
    """An allow-list of a whole country does not open its premium numbers."""
    assert code("+499005550123", replace(RULES, allow=("+49900",))) == "premium"


@pytest.mark.parametrize(
    ("clock", "why"),
    [((20, 59), None), ((21, 0), "quiet hours"), ((3, 0), "quiet hours"), ((8, 0), None)],
)
def test_quiet_hours_go_over_midnight(clock: tuple[int, int], why: str | None) -> None:
    assert code(at=NOON.replace(hour=clock[0], minute=clock[1])) == why


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (Facts(0, 0, number_is_being_called=True), "in progress"),
        (Facts(3, 3, number_is_being_called=False), "hourly cap"),
        (Facts(0, 5, number_is_being_called=False), "daily cap"),
        (Facts(2, 4, number_is_being_called=False), None),
    ],
)
def test_caps(facts: Facts, why: str | None) -> None:
    assert code(facts=facts) == why


def test_nothing_is_allowed_unless_said() -> None:
    """A file without `outbound`, or without an allow-list."""
    assert code(rules=Rules()) == "no trunk"
    assert code(rules=replace(RULES, allow=())) == "not allowed"
    assert trunk_for(RULES, "other") is None
    assert trunk_for(RULES, "") == RULES.trunks[0]


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_the_ledger_counts_across_processes_and_time(tmp_path: Path) -> None:
    """One dial per number at a time; a crash blocks it no longer than the longest call."""
    clock, file = Clock(), tmp_path / "dials.sqlite"

    def facts() -> list[Facts]:
        seen: list[Facts] = []
        with closing(Ledger(file, clock)) as other:
            other.reserve(NUMBER, lambda f: seen.append(f) or Refusal("x", "y", "z"))
        return seen

    with closing(Ledger(file, clock)) as ledger:
        first = ledger.reserve(NUMBER, lambda _: None)
        assert facts() == [Facts(1, 1, number_is_being_called=True)]
        assert isinstance(first, int)
        ledger.finish(first, "busy")
        assert facts() == [Facts(1, 1, number_is_being_called=False)]
        ledger.reserve(NUMBER, lambda _: None)  # and never finished
        clock.now += HOUR_S + 1
        assert facts() == [Facts(0, 2, number_is_being_called=True)]
        clock.now += LONGEST_S
        assert facts() == [Facts(0, 2, number_is_being_called=False)]
        clock.now += DAY_S
        assert facts() == [Facts(0, 0, number_is_being_called=False)]
    assert file.stat().st_mode & 0o777 == 0o600


def test_two_at_once_do_not_both_pass(tmp_path: Path) -> None:
    """Judged and counted in one step."""
    results: list[object] = []

    def dial() -> None:
        with closing(Ledger(tmp_path / "dials.sqlite")) as ledger:
            results.append(ledger.reserve(NUMBER, lambda f: judge(NUMBER, RULES, f, NOON)))

    Ledger(tmp_path / "dials.sqlite").close()
    threads = [threading.Thread(target=dial) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(each).__name__ for each in results) == ["Refusal"] * 3 + ["int"]


FILE = """\
version: 1
lines: []
outbound:
  trunks:
    - name: carrier
      address: sip.example.com:5061
      transport: tls
      caller: "+15550100"
      digest: {user: desk, password_file: desk}
  allow: ["+1510"]
  do_not_call: ["+15105550199"]
  quiet_hours: "21:00-08:00"
  per_hour: 3
"""


def test_the_file_says_it(tmp_path: Path) -> None:
    """All keys; the password stays out of what is printed."""
    (tmp_path / "desk").write_text("s3cret-" * 4)
    (tmp_path / "desk").chmod(0o600)
    file = tmp_path / "lines.yaml"
    file.write_text(FILE)
    rules = outbound.parse(file, secrets=tmp_path)
    (trunk,) = rules.trunks
    assert (trunk.address, trunk.transport) == ("sip.example.com:5061", "tls")
    assert (rules.quiet_from, rules.per_hour, rules.per_day) == (time(21), 3, 100)
    assert "s3cret" not in repr(rules)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("tls", "tcp6", 7),
        ('"+1510"', '"510"', 10),
        ("21:00-08:00", "evening", 12),
        ("per_hour: 3", "per_hour: 0", 13),
        ("per_hour", "per_minute", 13),
        ("      address: sip.example.com:5061\n", "", 5),
        ('caller: "+15550100"', "caller: me", 8),
    ],
)
def test_faults_have_lines(tmp_path: Path, old: str, new: str, line: int) -> None:
    """What cannot be read is said with its place."""
    (tmp_path / "desk").write_text("s3cret-" * 4)
    (tmp_path / "desk").chmod(0o600)
    file = tmp_path / "lines.yaml"
    file.write_text(FILE.replace(old, new, 1))
    with pytest.raises(LinesError) as caught:
        outbound.parse(file, secrets=tmp_path)
    assert [fault.line for fault in caught.value.faults] == [line]

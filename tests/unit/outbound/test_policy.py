"""When a queue dials: windows, retries, refusals that pass; and the file that it reads."""

import json
from datetime import datetime, time
from pathlib import Path

import pytest

from voicestack.outbound import policy, queue_file
from voicestack.outbound.attempt import Wish
from voicestack.outbound.policy import Brake, Policy, PolicyError
from voicestack.outbound.queue_file import QueueFileError
from voicestack.outbound.rules import Refusal, Rules

MONDAY_NOON = datetime(2026, 3, 2, 12)
H = 3600


@pytest.mark.parametrize(
    ("texts", "now", "opens_in_s"),
    [
        ([], MONDAY_NOON, 0),
        (["09:00-17:00"], MONDAY_NOON, 0),
        (["mon 09:00-12:00"], MONDAY_NOON, 7 * 24 * H - 3 * H),  # the end is outside
        (["13:00-17:00"], MONDAY_NOON, H),
        (["09:00-11:00"], MONDAY_NOON, 21 * H),
        (["09:00-11:00", "14:00-15:00"], MONDAY_NOON, 2 * H),
        (["sat-sun 10:00-12:00"], MONDAY_NOON, 5 * 24 * H - 2 * H),
        (["mon-fri 09:00-17:00"], datetime(2026, 3, 6, 18), (2 * 24 + 15) * H),
    ],
)
def test_windows(texts: list[str], now: datetime, opens_in_s: float) -> None:
    """How long until one of them is open."""
    windows = [policy.window(text) for text in texts]
    assert policy.opens_in_s(windows, now) == opens_in_s


@pytest.mark.parametrize("text", ["9-17", "17:00-09:00", "fri-mon 09:00-10:00", "noon", ""])
def test_what_is_no_window(text: str) -> None:
    """Said with an example."""
    with pytest.raises(PolicyError) as caught:
        policy.window(text)
    assert "mon-fri" in caught.value.hint


def test_retries_as_told() -> None:
    """One result changed, the others as they are; nonsense is named."""
    changed = policy.retries(["busy=2x10", "voicemail=2x86400"])
    how = Policy(retries=changed)
    assert policy.again_in_s(how, "busy", 1) == 10
    assert policy.again_in_s(how, "busy", 2) is None
    assert policy.again_in_s(how, "voicemail", 1) == 86400
    assert policy.again_in_s(how, "no answer", 1) == 3600
    assert policy.again_in_s(how, "answered", 1) is None
    for text in ("busy=0x10", "busy", "rude=1x1"):
        with pytest.raises(PolicyError):
            policy.retries([text])


@pytest.mark.parametrize(
    ("code", "wait_s"),
    [
        ("premium", None), ("emergency", None), ("do not call", None), ("not allowed", None),
        ("quiet hours", 20 * H), ("hourly cap", policy.CAP_S), ("daily cap", policy.CAP_S),
        ("in progress", policy.IN_PROGRESS_S),
    ],
)  # fmt: skip
def test_refusals_that_pass(code: str, wait_s: float | None) -> None:
    """Quiet hours have an end, a premium number has none."""
    rules = Rules(quiet_from=time(11), quiet_until=time(8))
    assert policy.postponed_s(Refusal(code, "", ""), rules, MONDAY_NOON) == wait_s


def test_the_brake() -> None:
    """Failures of ours in a row pause; a busy person in between means that the carrier works."""
    brake = Brake(Policy(pause_after=3, pause_s=10, most_pauses=1))
    assert [brake.note(each, 0) for each in ("failed", "no agent", "busy", "failed")] == [False] * 4
    assert [brake.note("carrier error", 5), brake.note("carrier error", 5)] == [False, True]
    assert (brake.paused_until, brake.stopped) == (15, False)
    assert [brake.note("carrier error", 20) for _ in range(3)] == [False, False, True]
    assert brake.stopped


def test_the_file(tmp_path: Path) -> None:
    """Numbers as people write them, our columns, and theirs as metadata."""
    file = tmp_path / "list.csv"
    file.write_text(
        "\ufeffnumber,name,agent,purpose\n"
        '+1 (510) 555-0123,"Doe, Jo",sales,\n\n'
        "+15105550124,,,your bill\n"
    )
    first, second = queue_file.read(file, Wish("", purpose="your order", metadata='{"round": 2}'))
    assert (first.number, first.row, second.row) == ("+15105550123", 2, 4)
    wish = json.loads(first.wish)
    assert (wish["agent"], wish["purpose"]) == ("sales", "your order")
    assert json.loads(wish["metadata"]) == {"round": 2, "name": "Doe, Jo"}
    assert json.loads(second.wish)["purpose"] == "your bill"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\nx\n", "list.csv:1: number: is missing"),
        ("", "list.csv:1: number: is missing"),
        ("number\n5550123\n", "list.csv:2: number: 5550123"),
        ("number\n+15105550123\n+1510-555-0123\n", "list.csv:3"),
        ("number,name\n,Jo\n", "list.csv:2: number: is empty"),
        ("number\n+15105550123,more\n", "list.csv:2"),
    ],
)
def test_faults_of_the_file(tmp_path: Path, text: str, said: str) -> None:
    """Line and what to do; nothing is called."""
    file = tmp_path / "list.csv"
    file.write_text(text)
    with pytest.raises(QueueFileError) as caught:
        queue_file.read(file, Wish(""))
    assert said in str(caught.value)
    assert "hint:" in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    """Said, not raised as something else."""
    with pytest.raises(QueueFileError, match="is no file"):
        queue_file.read(tmp_path / "none.csv", Wish(""))

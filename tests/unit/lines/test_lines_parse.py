"""The lines file: what it means, and every fault with its line."""

import json
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from voicestack.errors import LinesError
from voicestack.lines.model import Defaults, Digest, Line
from voicestack.lines.parse import parse

ROOT = Path(__file__).parents[3]
GOOD = """\
version: 1
lines:
  - number: "+15550100"
    callers: {from: [this-machine, lan]}
"""


def read(folder: Path, text: str | bytes, defaults: Defaults | None = None) -> tuple[Line, ...]:
    file = folder / "lines.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return parse(file, secrets=folder, defaults=defaults)


def faults(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(LinesError) as caught:
        read(folder, text)
    assert all(fault.must and fault.fix for fault in caught.value.faults)
    return [f"{fault.line} {fault.name}" for fault in caught.value.faults]


def with_line(text: str) -> str:
    """A good file whose only line is `text`, which begins at line 3."""
    return f"version: 1\nlines:\n{text}"


def test_the_file_that_comes_with_the_project() -> None:
    """The default line: +15550100, receptionist, this machine, its LAN, registered phones."""
    (line,) = parse(ROOT / "sip/lines.yaml", secrets=ROOT)
    assert (line.number, line.agent, line.room) == ("+15550100", "receptionist", "call-")
    assert line.sources == ("this-machine", "lan", "phones")
    assert line.digest is None
    assert line.hide_number is True


def test_what_is_not_said_comes_from_the_defaults(tmp_path: Path) -> None:
    """A line is a number and its callers."""
    (line,) = read(tmp_path, GOOD, Defaults(agent="bob", max_call_minutes=5))
    assert (line.agent, line.max_call_minutes, line.ring_timeout_s) == ("bob", 5, 20)
    assert json.loads(line.metadata) == {"line": "+15550100"}


def test_everything_said(tmp_path: Path) -> None:
    """All keys at once."""
    (tmp_path / "desk").write_text("p" * 12 + "Q9-" * 4 + "\n")
    (tmp_path / "desk").chmod(0o600)
    text = """\
# a comment
version: 1
lines:
  - number: "+493012345678"
    agent: sales-2
    callers:
      from: [203.0.113.0/24, lan, 198.51.100.7, lan]
      digest: {user: desk.phone, password_file: desk}
    room: sales-
    metadata: {language: de, vip: true, floor: 3, note: "yes", odd: 0x10}
    hide_number: false
    ring_timeout_s: 30
    max_call_minutes: 90
"""
    (line,) = read(tmp_path, text)
    assert line.sources == (
        IPv4Network("203.0.113.0/24"),
        "lan",
        IPv4Network("198.51.100.7/32"),
    )
    assert line.digest == Digest("desk.phone", "p" * 12 + "Q9-" * 4)
    assert "pppp" not in repr(line)
    assert json.loads(line.metadata) == {
        "line": "+493012345678",
        "language": "de",
        "vip": True,
        "floor": 3,
        "note": "yes",
        "odd": "0x10",
    }
    assert (line.agent, line.room, line.hide_number) == ("sales-2", "sales-", False)
    assert (line.ring_timeout_s, line.max_call_minutes, line.where) == (30, 90, "lines.yaml:4")


def test_metadata_may_be_text(tmp_path: Path) -> None:
    """An agent with a form of its own gets its text as it is."""
    (line,) = read(tmp_path, GOOD + "    metadata: '<x/>'\n")
    assert line.metadata == "<x/>"


def test_no_lines_is_a_choice(tmp_path: Path) -> None:
    """An empty list: nothing is answered. An empty file is an accident."""
    assert read(tmp_path, "version: 1\nlines: []\n") == ()
    assert faults(tmp_path, "") == ["1 "]


def test_the_world_only_on_purpose(tmp_path: Path) -> None:
    """0.0.0.0/0 needs a second word."""
    open_line = (
        '  - number: "+15550100"\n    callers: {from: [0.0.0.0/0], open_to_the_world: true}\n'
    )
    (line,) = read(tmp_path, with_line(open_line))
    assert line.sources == (IPv4Network("0.0.0.0/0"),)


def test_a_bom_and_windows_line_ends_are_harmless(tmp_path: Path) -> None:
    """YAML allows both."""
    assert read(tmp_path, b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())


def test_all_faults_come_together_in_order(tmp_path: Path) -> None:
    """One look shows them all."""
    text = """\
version: 2
lines:
  - number: +15550100
    agnet: x
    callers: {from: [this_machine, 192.168.1.5/24], digest: {user: "a b"}}
    room: Call
    room: call-
    ring_timeout_s: 900
    hide_number: maybe
    metadata: {a: [1], line: 3}
  - number: "+1 555 0101"
    callers: {}
  - 3
"""
    assert faults(tmp_path, text) == [
        "1 version",
        "3 number",
        "4 agnet",
        "5 from",
        "5 from",
        "5 digest.password_file",
        "5 user",
        "6 room",
        "7 room",
        "8 ring_timeout_s",
        "9 hide_number",
        "10 metadata.a",
        "10 metadata.line",
        "11 number",
        "12 callers",
        "13 a line",
    ]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: [\n", "2 "),
        ("\tversion: 1\n", "1 "),
        ("# nothing\n", "1 "),
        ("[]\n", "1 the file"),
        ("version: 1\n", "1 lines"),
        ("lines: []\n", "1 version"),
        ("version: 1\nlines: 3\n", "2 lines"),
        ("version: 1\nlines: {}\n", "2 lines"),
        ("version: 1\nversion: 1\nlines: []\n", "2 version"),
        ("version: 1\nlines: []\n---\nversion: 1\n", "3 "),
        ("version: 1\nlines: &x []\nmore: *x\n", "3 "),
        (b"version: 1\nlines: []\n# \xff\n", "3 "),
        ("version: 1\nlines: []\n#" + "x" * 300_000, "1 "),
        ("version: 1\nlines: " + "[" * 5000 + "\n", "2 "),
        (GOOD + GOOD.split("lines:\n")[1], "5 number"),
        (GOOD.replace('"+15550100"', '"015550100"'), "3 number"),
        (GOOD.replace('"+15550100"', '"+1555010012345678"'), "3 number"),
        (GOOD.replace('"+15550100"', "null"), "3 number"),
        (GOOD.replace("[this-machine, lan]", "[]"), "4 from"),
        (GOOD.replace("[this-machine, lan]", "lan"), "4 from"),
        (GOOD.replace("lan]", "10.0.0.0/33]"), "4 from"),
        (GOOD.replace("lan]", "10.0.0/24]"), "4 from"),
        (GOOD.replace("lan]", "0.0.0.0/0]"), "4 from"),
        (GOOD.replace("lan]", "128.0.0.0/1]"), "4 from"),
        (GOOD.replace("lan]", '"fd00::/64"]'), "4 from"),
        (GOOD.replace("lan]", "example.com]"), "4 from"),
        (GOOD.replace("lan]}", "lan], open_to_the_world: 1}"), "4 open_to_the_world"),
        (GOOD + "    max_call_minutes: 0\n", "5 max_call_minutes"),
        (GOOD + "    max_call_minutes: 1.5\n", "5 max_call_minutes"),
        (GOOD + "    agent: Bob Smith\n", "5 agent"),
        (GOOD + "    room: ../x\n", "5 room"),
        (GOOD + "    metadata: [1]\n", "5 metadata"),
        (GOOD + f"    metadata: {{x: {'y' * 9000}}}\n", "5 metadata"),
    ],
)
def test_each_fault_names_its_line(tmp_path: Path, text: str | bytes, where: str) -> None:
    """What is wrong stands where it is wrong, and nothing else is blamed."""
    assert faults(tmp_path, text) == [where]


def test_hints_lead_to_the_right_spelling(tmp_path: Path) -> None:
    """The usual slips."""
    slips = {
        "[this_machine]": "did you mean this-machine?",
        "[192.168.1.5/24]": "192.168.1.0/24 is the network, 192.168.1.5/32 the one address",
    }
    for written, hint in slips.items():
        with pytest.raises(LinesError, match="hint") as caught:
            read(tmp_path, GOOD.replace("[this-machine, lan]", written))
        assert caught.value.faults[0].fix == hint


@pytest.mark.parametrize(
    ("content", "mode", "seen"),
    [
        (None, 0, "cannot be read"),
        ("x" * 24, 0o644, "0644"),
        ("too-short", 0o600, "20 or more"),
        ("with space " * 4, 0o600, "20 or more"),
        ("two\nlines" * 4, 0o600, "20 or more"),
    ],
)
def test_password_files(tmp_path: Path, content: str | None, mode: int, seen: str) -> None:
    """Missing, open to others, short or odd: said without showing it."""
    if content is not None:
        (tmp_path / "desk").write_text(content)
        (tmp_path / "desk").chmod(mode)
    text = GOOD.replace("from: [this-machine, lan]", "digest: {user: a, password_file: desk}")
    with pytest.raises(LinesError, match=seen) as caught:
        read(tmp_path, text)
    assert content is None or content not in caught.value.report()

"""Softphones: read from the lines file, told to the registrar, edited by a script."""

from pathlib import Path

import pytest

from voicestack.errors import LinesError, VoicestackError
from voicestack.lines import phones
from voicestack.lines.edit import edit
from voicestack.lines.model import Phone
from voicestack.registrar import table

TEXT = """\
# Our lines.
version: 1
lines:
    - number: "+15550100"   # the office
      callers: {from: [this-machine, phones]}
phones: [] # by a script
"""


def secret(folder: Path, user: str, text: str = "a" * 32, mode: int = 0o600) -> None:
    path = phones.file_of(user, folder)
    path.write_text(text)
    path.chmod(mode)


def read(folder: Path, listed: str) -> tuple[Phone, ...]:
    file = folder / "lines.yaml"
    file.write_text(f"version: 1\nlines: []\nphones: {listed}\n")
    return phones.parse(file, secrets=folder)


def test_a_phone_is_read(tmp_path: Path) -> None:
    """User and number from the file, the proof of its password from the secrets."""
    secret(tmp_path, "anna")
    assert read(tmp_path, '[{user: anna, number: "+15550201"}]') == (
        Phone("anna", "+15550201", "a" * 32),
    )
    assert read(tmp_path, "[]") == ()
    assert "a" * 32 not in repr(Phone("anna", "+15550201", "a" * 32))


def test_the_hash_is_that_of_the_standard() -> None:
    """MD5 of user:realm:password (RFC 2617 3.2.2.2)."""
    assert phones.ha1("anna", "secret-of-anna") == "1bff9516522595234b4f8575ee31ff41"


@pytest.mark.parametrize(
    ("listed", "seen"),
    [
        ("anna", "must be a list"),
        ("[{user: anna}]", "number"),
        ('[{user: "a b", number: "+15550201"}]', "letters, digits"),
        ('[{user: anna, number: "15550201"}]', "7 to 15 digits"),
        ('[{user: nobody, number: "+15550201"}]', "has no password here"),
        ('[{user: open, number: "+15550201"}]', "mode 0644"),
        ('[{user: odd, number: "+15550201"}]', "no HA1"),
        ('[{user: anna, number: "+15550201"}, {user: anna, number: "+15550202"}]', "another"),
        ('[{user: anna, number: "+15550201", passwort: x}]', "no key of a phone"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, listed: str, seen: str) -> None:
    """With its place; the lines of the file are as faulty as its phones."""
    secret(tmp_path, "anna")
    secret(tmp_path, "open", mode=0o644)
    secret(tmp_path, "odd", "no hash")
    with pytest.raises(LinesError) as faulty:
        read(tmp_path, listed)
    assert seen in str(faulty.value.report())
    assert "lines.yaml:3" in faulty.value.report()


def test_the_registrar_is_told(tmp_path: Path) -> None:
    """Two private tables, written when something changed and not otherwise."""
    folder = tmp_path / "registrar"
    known = [Phone("anna", "+15550201", "a" * 32)]
    assert table.write(known, folder)
    assert not table.write(known, folder)
    assert (folder / "users").read_text().splitlines()[1:] == [f"anna:0:0:{'a' * 32}:0"]
    assert (folder / "numbers").read_text().splitlines()[1:] == ["+15550201:0:0:anna:0"]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert table.write([], folder)


def test_an_edit_keeps_what_it_does_not_change(tmp_path: Path) -> None:
    """Comments, quotes and indentation stay; the old file does too, under another name."""
    secret(tmp_path, "anna")
    file = tmp_path / "lines.yaml"
    file.write_text(TEXT)
    same = edit(file, lambda _: None, secrets=tmp_path)
    assert same.write() is None
    changed = edit(
        file,
        lambda document: document["phones"].append({"user": "anna", "number": "+15550201"}),
        secrets=tmp_path,
    )
    added = [line for line in changed.diff().splitlines() if line.startswith("+")]
    assert added[1:] == [
        "+phones:    # by a script",
        "+    - user: anna",
        "+      number: '+15550201'",
    ]
    kept = changed.write()
    assert kept is not None
    assert kept.read_text() == TEXT
    assert "# the office" in file.read_text()
    assert len(phones.parse(file, secrets=tmp_path)) == 1


def test_an_edit_that_would_be_faulty_is_not_written(tmp_path: Path) -> None:
    """And neither is one of a file that somebody else has changed meanwhile."""
    file = tmp_path / "lines.yaml"
    file.write_text(TEXT)
    with pytest.raises(LinesError):
        edit(file, lambda document: document["lines"].append({"number": "1"}), secrets=tmp_path)
    assert file.read_text() == TEXT
    late = edit(file, lambda document: document["lines"].clear(), secrets=tmp_path)
    file.write_text(TEXT + "# by hand\n")
    with pytest.raises(VoicestackError, match="meanwhile"):
        late.write()
    assert file.read_text() == TEXT + "# by hand\n"

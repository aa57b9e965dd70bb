"""The frame of every command: what is printed where, and with which exit code."""

import json

import pytest

from voicestack.cli import frame
from voicestack.errors import Fault, SettingsError, VoicestackError


def run(once, capsys: pytest.CaptureFixture[str], **options: bool) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as done:
        frame.finish(once, **({"as_json": False} | options))
    out = capsys.readouterr()
    return int(done.value.code or 0), out.out, out.err


def test_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """Text or one JSON object on stdout, what needs attention on stderr."""

    def once() -> frame.Answer:
        return frame.Answer({"x": 1}, "one", 7, ["look here"])

    assert run(once, capsys) == (7, "one\n", "attention: look here\n")
    code, out, _ = run(once, capsys, as_json=True)
    assert (code, json.loads(out)) == (7, {"x": 1})


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (VoicestackError("down", hint="up"), frame.FAILED),
        (frame.UsageError("odd", hint="even"), frame.UNFIT),
        (SettingsError([Fault(".env:1", "X", "y", "must be z", "X=z")]), frame.UNFIT),
    ],
)
def test_errors(capsys: pytest.CaptureFixture[str], error: VoicestackError, code: int) -> None:
    """1 when something was tried, 2 when nothing was; the hint is there, stdout empty."""

    def once() -> frame.Answer:
        raise error

    seen, out, err = run(once, capsys)
    assert (seen, out) == (code, "")
    assert "error:" in err
    assert "hint:" in err


@pytest.mark.parametrize(("watch", "code"), [(False, 130), (True, 0)])
def test_ctrl_c(capsys: pytest.CaptureFixture[str], watch: bool, code: int) -> None:
    """The way to end a watch is no failure."""

    def once() -> frame.Answer:
        raise KeyboardInterrupt

    assert run(once, capsys, watch=watch)[0] == code


def test_tables_fit_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """80 columns; the widest cells are cut, and what is not known is a dash."""
    monkeypatch.setenv("COLUMNS", "80")
    text = frame.table(["room", "n"], [["call-" + "x" * 200, None], ["short", 3]], empty="none")
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].endswith("~  -")
    assert lines[2].split() == ["short", "3"]
    assert frame.table(["room"], [], empty="none") == "none"


@pytest.mark.parametrize("text", ["{", "[1]", "3", '"x"'])
def test_metadata_is_an_object(text: str) -> None:
    with pytest.raises(frame.UsageError):
        frame.metadata(text)
    assert frame.metadata('{"x": 1}') == '{"x": 1}'

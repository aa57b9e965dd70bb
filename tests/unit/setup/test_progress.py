"""Bars on a terminal, few lines in a log."""

import io

from rich.console import Console

from voicestack.setup.progress import MIB, Bars, Plain, amount


def test_log_has_a_line_now_and_then() -> None:
    """Start with the size, one line every 15 s, end with time and amount."""
    said: list[str] = []
    now = [0.0]
    plain = Plain(said.append, clock=lambda: now[0])
    with plain.work("model.bin", total=100 * MIB) as work:
        for second in range(1, 31):
            now[0] = second
            work.add(2 * MIB)
    assert said == [
        "  model.bin (100 MiB)",
        "  model.bin: 30 MiB of 100 MiB",
        "  model.bin: 60 MiB of 100 MiB",
        "  model.bin: done in 30.0 s, 60 MiB of 100 MiB",
    ]


def test_log_names_what_is_under_way() -> None:
    """A long compile shows the package that it is at."""
    said: list[str] = []
    now = [0.0]
    with Plain(said.append, clock=lambda: now[0]).work("compiling", unit="packages") as work:
        work.total(900)
        now[0] = 20.0
        work.note("crypto/tls")
    assert "  compiling: 0 of 900 packages, crypto/tls" in said


def test_terminal_has_a_bar_with_amount_and_note() -> None:
    """The bar is full at the end, also when the total was an estimate."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, color_system=None)
    with Bars(console).work("model.bin", total=10 * MIB) as work:
        work.done(4 * MIB)
        work.note("resuming")
    drawn = out.getvalue()
    assert "model.bin" in drawn
    assert "4 MiB of 4 MiB" in drawn


def test_amounts() -> None:
    """Units fit the size; an unknown total is left out."""
    assert amount(12 * MIB, 62 * MIB, "bytes") == "12 MiB of 62 MiB"
    assert amount(0, 2048, "bytes") == "0 KiB of 2 KiB"
    assert amount(40, 900, "packages") == "40 of 900 packages"
    assert amount(3 * MIB, 0, "bytes") == "3 MiB"
    assert amount(0, 0, "modules") == ""

"""Every verb: JSON for programs, and exit code 2 for what it cannot read."""

from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from voicestack.cli.main import app

# `--format json` and `jsonl` beside other formats; `pack` and `verify` have it.
OTHERWISE = {("show-ports",), ("calls", "export"), ("airgap",)}


def verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """List what can be typed after `voicestack`."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path
        return
    for name, each in sorted(inner.items()):
        yield from verbs(each, (*path, name))


VERBS = list(verbs(get_command(app)))


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_help_and_json(verb: tuple[str, ...]) -> None:
    """Help is exit 0, and says how programs read the answer."""
    done = CliRunner().invoke(app, [*verb, "--help"])
    assert done.exit_code == 0, done.output
    assert "--json" in done.output or verb in OTHERWISE


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_an_unknown_option(verb: tuple[str, ...]) -> None:
    """Nothing is tried, and it is said on stderr."""
    done = CliRunner().invoke(app, [*verb, "--no-such-option"])
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert done.stderr

"""Changes to the lines file by programs: comments kept, checked before, written whole, undoable."""

import difflib
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.util import load_yaml_guess_indent

from voicestack.errors import Fault, LinesError, VoicestackError
from voicestack.lines.model import Defaults
from voicestack.lines.parse import parse

# Longer than any line of the file: nothing that somebody wrote on one line is folded.
WIDTH = 4096


@dataclass(frozen=True, slots=True)
class Edit:
    """A file as it is and as it shall be."""

    path: Path
    before: str
    after: str

    def diff(self) -> str:
        """What changes, as `diff -u` shows it."""
        name = self.path.name
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            name,
            f"{name} (new)",
        )
        return "".join(lines)

    def write(self) -> Path | None:
        """Put it in place at once; the old file stays beside it. Return its new name."""
        if self.before == self.after:
            return None
        if self.path.read_text() != self.before:
            raise VoicestackError(
                f"{self.path} was changed by somebody else meanwhile: nothing was written",
                hint="run the same command again",
            )
        mode = self.path.stat().st_mode & 0o777
        kept = _free_name(self.path)
        os.link(self.path, kept)
        _replace(self.path, self.after, mode)
        return kept


def edit(
    path: Path,
    act: Callable[[CommentedMap], None],
    *,
    secrets: Path,
    defaults: Defaults | None = None,
) -> Edit:
    """Let `act` change the document, and check the result like any lines file."""
    try:
        before = path.read_text()
        yaml = YAML()
        yaml.preserve_quotes = True
        document, indent, offset = load_yaml_guess_indent(before, yaml=yaml)
    except (OSError, UnicodeDecodeError, YAMLError):
        parse(path, secrets=secrets, defaults=defaults)  # says what is wrong, with its line
        raise
    if not isinstance(document, CommentedMap):
        raise LinesError([Fault(f"{path.name}:1", "", "", "is no lines file", "see docs/lines.md")])
    act(document)
    yaml.width = WIDTH
    yaml.indent(mapping=2, sequence=indent or 4, offset=offset if indent else 2)
    out = StringIO()
    yaml.dump(document, out)
    edited = Edit(path, before, out.getvalue())
    _check(edited, secrets, defaults)
    return edited


def _check(edited: Edit, secrets: Path, defaults: Defaults | None) -> None:
    with tempfile.TemporaryDirectory(prefix="voicestack-lines-") as folder:
        trial = Path(folder) / edited.path.name
        trial.write_text(edited.after)
        parse(trial, secrets=secrets, defaults=defaults)


def _free_name(path: Path) -> Path:
    stem = f"{path.name}.{time.strftime('%Y%m%d-%H%M%S')}"
    names = (path.with_name(f"{stem}{more}") for more in ("", *(f"-{n}" for n in range(1, 1000))))
    return next(name for name in names if not name.exists())


def _replace(path: Path, text: str, mode: int) -> None:
    half = path.with_name(f".{path.name}.part")
    half.unlink(missing_ok=True)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)

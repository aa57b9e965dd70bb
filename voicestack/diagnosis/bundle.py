"""A support bundle: the report, configuration and ends of logs, fit for strangers."""

import io
import json
import os
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

from voicestack.diagnosis.redact import redact
from voicestack.diagnosis.report import Report
from voicestack.native.up import Stack

# The end of each log: a day of a small stack, and small enough to mail.
LOG_BYTES = 512 * 1024


def write(path: Path, report: Report, stack: Stack | None) -> None:
    """Make the archive, readable by its owner alone."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        _add(archive, "report.json", json.dumps(report.as_json(), indent=1))
        for name, text in _texts(stack) if stack else ():
            _add(archive, name, redact(text, report.secrets))


def _texts(stack: Stack) -> Iterator[tuple[str, str]]:
    """Names and contents, before redaction."""
    facts = stack.settings.model_dump(mode="json")
    yield "settings.json", json.dumps(facts, indent=1)
    if stack.settings.lines_file.is_file():
        yield "lines.yaml", stack.settings.lines_file.read_text(errors="replace")
    # The files of secrets stay out whole; what they hold is also hidden in all that goes in.
    for path in sorted(stack.paths.config.glob("*")):
        if path.is_file() and path.name != "livekit-keys.yaml":
            yield f"config/{path.name}", path.read_text(errors="replace")
    for path in sorted(stack.paths.logs.glob("*.log")):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_BYTES))
            yield f"logs/{path.name}", file.read().decode(errors="replace")


def _add(archive: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode()
    info = tarfile.TarInfo(f"voicestack-support/{name}")
    info.size, info.mode, info.mtime = len(data), 0o600, int(time.time())
    archive.addfile(info, io.BytesIO(data))

"""Files for their owner's eyes, whole or not at all."""

import os
from pathlib import Path
from typing import IO

FILE_MODE, FOLDER_MODE = 0o600, 0o700


def write(target: Path, content: bytes) -> None:
    """Make the folder where there is none, and put the file into it."""
    target.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    put(target, content)


def put(target: Path, content: bytes) -> None:
    """Appear under its name only when it is whole, and readable by its owner alone."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    file: IO[bytes]
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)  # there still, if the disk is full

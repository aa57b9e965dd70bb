"""Files that are whole or absent: hashes, atomic writes, the record of what was verified."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
from pathlib import Path

CHUNK_BYTES = 1 << 20


def sha256_of(path: Path, on_bytes: Callable[[int], None] = lambda _: None) -> str:
    """Hash a whole file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            on_bytes(len(chunk))
    return digest.hexdigest()


def publish(part: Path, target: Path) -> None:
    """Give a finished file its name: who reads that name sees all of it, even after a power cut."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    part.replace(target)


def write_atomic(path: Path, text: str) -> None:
    """Replace a small text file."""
    part = path.with_name(f"{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    part.write_text(text)
    publish(part, path)


def link_atomic(link: Path, target: Path) -> None:
    """Point a symbolic link at `target`, replacing whatever has that name."""
    part = link.with_name(f".{link.name}.part")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(link)


@contextmanager
def one_at_a_time(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of the cache: two checkouts share it, and both may be set up at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            on_wait()
            flock(file, LOCK_EX)
        try:
            yield
        finally:
            flock(file, LOCK_UN)


class Verified:
    """Which files had which hash at which size and time: what did not change is not read again."""

    def __init__(self, record: Path) -> None:
        self._record = record
        try:
            self._known: dict[str, list[object]] = json.loads(record.read_text())
        except (OSError, ValueError):  # absent or cut: all files are hashed once more
            self._known = {}

    def is_whole(self, path: Path, *, size_bytes: int, sha256: str, reread: bool = False) -> bool:
        """Tell whether `path` has the given bytes; reads it only if it changed or `reread`."""
        try:
            stat = path.stat()
        except OSError:
            return False
        if stat.st_size != size_bytes:
            return False
        seen: list[object] = [stat.st_size, stat.st_mtime_ns, sha256]
        if not reread and self._known.get(str(path)) == seen:
            return True
        if sha256_of(path) != sha256:
            return False
        self._known[str(path)] = seen
        write_atomic(self._record, json.dumps(self._known, indent=1, sort_keys=True))
        return True

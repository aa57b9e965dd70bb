"""One file with what cannot be made again: lines, settings, secrets, history, recordings."""

import hashlib
import io
import json
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicestack import settings as stack_settings
from voicestack.errors import VoicestackError
from voicestack.host import private
from voicestack.host.airgap_install import extract
from voicestack.settings import Settings

FORMAT = 1
MANIFEST, ENV, LINES = "manifest.json", "checkout/.env", "checkout/lines.yaml"
# Made anew at every start, or of no use elsewhere. Redis is among them: `control` applies the lines
# to an empty one, and its files cannot be copied while it writes.
LEFT_OUT = frozenset({"config", "logs", "redis", "registrar", "run", "sounds"})
SQLITE = b"SQLite format 3\x00"
# What they hold is in the copy that SQLite makes.
SQLITE_SIDE_FILES = ("-wal", "-shm", "-journal")
AGE = b"age-encryption.org/v1"
SECRETS_MODE, FOLDER_MODE = 0o600, 0o700


class BackupError(VoicestackError):
    """A backup could not be made, read, or put back."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a backup holds."""

    file: Path
    files: int
    size_bytes: int
    encrypted: bool


def make(settings: Settings, target: Path, *, recipient: str | None = None) -> Report:
    """Write a backup, whole or not at all; encrypted if there is a recipient (age1…)."""
    sources = dict(_sources(settings))
    if not any(name.startswith("state/secrets/") for name in sources):
        raise BackupError(
            f"{settings.state_dir} holds no secrets: nothing was ever started here",
            hint="STATE_DIR says where the stack keeps its state",
        )
    packed = _pack(sources)
    private.put(target, _encrypted(packed, recipient) if recipient else packed)
    return Report(target, len(sources), target.stat().st_size, recipient is not None)


def restore(root: Path, source: Path, *, identity: Path | None = None) -> list[str]:
    """Put a backup back where there is no stack yet; every file is checked before the first is.

    An .env that is there already stays: another machine has other addresses.
    """
    with tempfile.TemporaryDirectory(prefix="voicestack-restore-") as folder:
        names = _unpack(_decrypted(_read(source), identity), Path(folder))
        if ENV in names and not (root / ".env").exists():
            _put(Path(folder) / ENV, root / ".env")
        settings = stack_settings.load(root)
        if any((settings.state_dir / "secrets").glob("*")):
            raise BackupError(
                f"{settings.state_dir} holds secrets already: the backup's would replace them",
                hint="`make clean` forgets this stack's state, or set STATE_DIR to another folder",
            )
        rest = [name for name in names if name != ENV]
        for name in rest:
            _put(Path(folder) / name, _place(settings, name))
    return rest


def _sources(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Name every file as the backup does."""
    for name, path in (
        (ENV, settings.root / ".env"),
        (LINES, settings.lines_file),
    ):
        if path.is_file():
            yield name, path
    for path in sorted(settings.state_dir.rglob("*")):
        inside = path.relative_to(settings.state_dir)
        if path.is_file() and not path.is_symlink() and not _left_out(inside):
            yield f"state/{inside}", path


def _left_out(inside: Path) -> bool:
    return inside.parts[0] in LEFT_OUT or inside.name.endswith(SQLITE_SIDE_FILES)


def _place(settings: Settings, name: str) -> Path:
    """Say where a file of a backup belongs on this machine."""
    if name == LINES:
        return settings.lines_file
    return settings.state_dir / name.removeprefix("state/")


def _pack(sources: dict[str, Path]) -> bytes:
    out, sums = io.BytesIO(), {}
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, path in sources.items():
            content = _content(path)
            sums[name] = hashlib.sha256(content).hexdigest()
            _add(tar, name, content)
        made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        manifest = {"format": FORMAT, "made": made, "files": sums}
        _add(tar, MANIFEST, json.dumps(manifest, indent=1).encode())
    return out.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), SECRETS_MODE
    tar.addfile(entry, io.BytesIO(content))


def _content(path: Path) -> bytes:
    """Read a file; SQLite itself copies a database in use, or half a change would be in it."""
    with path.open("rb") as file:
        if file.read(len(SQLITE)) != SQLITE:
            return path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(copy)) as still:
            live.backup(still)
        return copy.read_bytes()


def _unpack(packed: bytes, folder: Path) -> list[str]:
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
            extract(tar, folder)
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise BackupError(
            f"this is no whole backup ({error})", hint="scripts/backup.py makes them"
        ) from error
    if manifest.get("format") != FORMAT:
        raise BackupError(
            f"the backup has format {manifest.get('format')}, this version reads {FORMAT}",
            hint="restore it with the version that made it",
        )
    sums: dict[str, str] = manifest["files"]
    for name, wanted in sums.items():
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
            raise BackupError(f"{name} is altered or missing in the backup", hint="use another one")
    return list(sums)


def _put(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    shutil.move(source, target)
    # Settings and lines are the operator's own, everything else is nobody else's.
    target.chmod(0o644 if source.parent.name == "checkout" else SECRETS_MODE)


def _encrypted(content: bytes, recipient: str) -> bytes:
    import pyrage

    try:
        key = pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError as error:
        raise BackupError(
            f"--recipient {recipient} is no public key of age",
            hint="`age-keygen -o key.txt` makes a pair and prints the public one: age1…",
        ) from error
    return bytes(pyrage.encrypt(content, [key]))


def _decrypted(content: bytes, identity: Path | None) -> bytes:
    if not content.startswith(AGE):
        return content
    import pyrage

    if identity is None:
        raise BackupError("the backup is encrypted", hint="--identity key.txt, the file of its key")
    try:
        lines = identity.read_text().splitlines()
        keys = [
            pyrage.x25519.Identity.from_str(each) for each in lines if each[:1] not in ("", "#")
        ]
        return bytes(pyrage.decrypt(content, keys))
    except (OSError, pyrage.IdentityError, pyrage.DecryptError) as error:
        raise BackupError(
            f"{identity} does not open the backup ({error})", hint="give the file of its secret key"
        ) from error


def _read(source: Path) -> bytes:
    try:
        return source.read_bytes()
    except OSError as error:
        raise BackupError(
            f"{source} cannot be read ({error.strerror})", hint=f"ls -l {source}"
        ) from error

"""`python -m voicestack.compose.inside`: what needs the volumes, for scripts outside of them.

Runs in a container of the service `setup`. A backup leaves by stdout. To put one back, stdin is a
tar of it and, if it is encrypted, its key; what belongs into the checkout, which is read-only here,
leaves as a tar.
"""

import io
import os
import sys
import tarfile
import tempfile
from pathlib import Path

from voicestack import backup, settings
from voicestack.compose.__main__ import CHECKOUT
from voicestack.errors import VoicestackError
from voicestack.host.airgap_install import extract

BACKUP, IDENTITY = "backup", "identity"
USAGE = "backup [RECIPIENT] | restore | room BYTES"


def main(arguments: list[str], checkout: Path = CHECKOUT) -> int:
    """Exit 0, or 1 with what is wrong on stderr."""
    try:
        # /tmp is memory here: no secret is ever on a disk.
        with tempfile.TemporaryDirectory() as folder:
            match arguments:
                case ["backup", *rest]:
                    file = Path(folder) / BACKUP
                    backup.make(settings.load(checkout), file, recipient=next(iter(rest), None))
                    sys.stdout.buffer.write(file.read_bytes())
                case ["restore"]:
                    packed = sys.stdin.buffer.read()
                    sys.stdout.buffer.write(restore(packed, Path(folder), checkout))
                case ["room", wanted]:
                    check_room(int(wanted))
                case _:
                    raise VoicestackError(f"usage: {USAGE}")
    except VoicestackError as error:
        print(error.report(), file=sys.stderr)
        return 1
    return 0


def restore(packed: bytes, folder: Path, checkout: Path) -> bytes:
    """Put state into the volumes; return a tar of what belongs into the checkout."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        extract(tar, folder)
    root = folder / "checkout"
    root.mkdir()
    if (env := checkout / ".env").exists():
        (root / ".env").write_bytes(env.read_bytes())
    identity = folder / IDENTITY
    backup.restore(root, folder / BACKUP, identity=identity if identity.exists() else None)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path in sorted(each for each in root.rglob("*") if each.is_file()):
            tar.add(path, str(path.relative_to(root)))
    return out.getvalue()


def check_room(wanted: int) -> None:
    """Images lie on the file system that is below this container's."""
    status = os.statvfs("/")
    free = status.f_bavail * status.f_frsize
    if free < wanted:
        raise VoicestackError(
            f"Docker has {free / 1e9:.1f} GB free for images, {wanted / 1e9:.0f} are wanted",
            hint="`docker image prune` removes images that no container uses",
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

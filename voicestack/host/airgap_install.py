"""Install from one archive on a machine without a way out: python3 install.py ARCHIVE FOLDER.

scripts/airgap.py puts this file into the archive, so it imports nothing of this project.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

FORMAT = 1
# Parts of an archive, in the order in which they lie in it.
PROGRAM, MANIFEST, CHECKOUT, MODELS, IMAGES = (
    "install.py", "manifest.json", "checkout.tar", "models.tar", "images.tar",
)  # fmt: skip
BLOCK_BYTES = 1 << 20
DONE, FAILED, UNFIT = 0, 1, 2
UNPACK_MODELS = (
    *("docker", "compose", "run", "--rm", "--no-deps", "-T", "setup"),
    *("tar", "--extract", "--directory", "/cache"),
)


class ArchiveError(Exception):
    """The archive or the machine is unfit; nothing was changed."""


class InstallError(Exception):
    """Docker refused a part."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit 0 when all is in place, 1 when Docker failed, 2 when nothing was touched."""
    made = argparse.ArgumentParser(
        prog="install",
        description="Install voicestack from one archive: checkout, images, models.",
        epilog="example: python3 install.py voicestack.tar /opt/voicestack --sha256 9f86d0…",
    )
    made.add_argument("archive", type=Path)
    made.add_argument("folder", type=Path, help="a folder that does not exist yet")
    made.add_argument("--sha256", help="what the archive was when it was made")
    options = made.parse_args(arguments)
    try:
        install(options.archive, options.folder, options.sha256)
    except ArchiveError as error:
        print(f"error: {error}\nhint: copy the archive again", file=sys.stderr)
        return UNFIT
    except InstallError as error:
        print(
            f"error: {error}\nhint: mend it, then remove {options.folder} and try again",
            file=sys.stderr,
        )
        return FAILED
    print(f"in place: cd {options.folder} && docker compose up --detach --wait")
    return DONE


def install(archive: Path, folder: Path, sha256: str | None) -> None:
    """Read everything and compare, then put each part where it belongs."""
    check_machine(folder)
    verify(archive, sha256)
    with tarfile.open(archive) as tar, tarfile.open(fileobj=_part(tar, CHECKOUT)) as checkout:
        extract(checkout, folder)
    with tarfile.open(archive) as tar:
        _feed(("docker", "load", "--quiet"), _part(tar, IMAGES), folder)
        _feed(UNPACK_MODELS, _part(tar, MODELS), folder)


def extract(tar: tarfile.TarFile, folder: Path) -> None:
    """Files and folders alone, and none outside: the filter "data" of tarfile is not in 3.11.2."""
    inside = folder.resolve()
    for member in tar.getmembers():
        if not (member.isfile() or member.isdir()):
            raise tarfile.TarError(f"{member.name} is neither a file nor a folder")
        target = (inside / member.name).resolve()
        if inside not in (target, *target.parents):
            raise tarfile.TarError(f"{member.name} leads outside")
        # An owner of another machine means nothing here; others may read, as packed, and not write.
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mode = member.mode & 0o755 | (0o700 if member.isdir() else 0o600)
        tar.extract(member, inside)


def check_machine(folder: Path) -> None:
    """An engine that answers, its Compose, and an empty place."""
    if folder.exists() and any(folder.iterdir()):
        raise ArchiveError(f"{folder} exists and is not empty")
    for command in (("docker", "version"), ("docker", "compose", "version")):
        if (
            not shutil.which("docker")
            or subprocess.run(command, capture_output=True, check=False).returncode
        ):
            raise ArchiveError(f"`{' '.join(command)}` fails: the machine needs Docker and Compose")


def verify(archive: Path, sha256: str | None = None) -> None:
    """Refuse an archive that is not, byte for byte, what was packed."""
    try:
        with archive.open("rb") as file:
            found = digest(file)
        if sha256 and found != sha256.lower():
            raise ArchiveError(f"{archive} has SHA-256 {found}, not {sha256}")
        with tarfile.open(archive) as tar:
            manifest = json.loads(_part(tar, MANIFEST).read())
            _compare(tar, manifest)
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        raise ArchiveError(
            f"{archive} is no whole archive of scripts/airgap.py ({error})"
        ) from error


def _compare(tar: tarfile.TarFile, manifest: dict[str, object]) -> None:
    if manifest.get("format") != FORMAT:
        raise ArchiveError(f"format {manifest.get('format')}, this program reads {FORMAT}")
    sums = manifest.get("files")
    if not isinstance(sums, dict) or set(tar.getnames()) != {MANIFEST, *sums}:
        raise ArchiveError("the archive has other parts than its list")
    for name, wanted in sums.items():
        if digest(_part(tar, name)) != wanted:
            raise ArchiveError(f"{name} is altered")


def digest(file: IO[bytes]) -> str:
    """SHA-256 of what is left of a file."""
    made = hashlib.sha256()
    while block := file.read(BLOCK_BYTES):
        made.update(block)
    return made.hexdigest()


def _part(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        found = tar.extractfile(name)
    except KeyError as error:
        raise ArchiveError(f"{name} is missing in the archive") from error
    if found is None:
        raise ArchiveError(f"{name} is no file in the archive")
    return found


def _feed(command: Sequence[str], source: IO[bytes], folder: Path) -> None:
    """Run a program with a part of the archive as its input."""
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        try:
            shutil.copyfileobj(source, process.stdin, BLOCK_BYTES)
        except BrokenPipeError:
            pass  # it has said why itself
        finally:
            process.stdin.close()
    if process.returncode:
        raise InstallError(f"`{' '.join(command)}` failed with exit code {process.returncode}")


if __name__ == "__main__":
    raise SystemExit(main())

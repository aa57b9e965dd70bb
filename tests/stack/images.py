"""Images under the names of compose.yaml where no registry answers.

Upstream's images are stood in for by Debian packages; our own are built from the unchanged
Dockerfile on top of them. What is there and still fits is kept.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.stack.engine import HOME, Engine, engine

FOLDER = Path(__file__).parent / "images"
STAMP = HOME / "images"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
SUITE = "bookworm"
# Layers of earlier versions are of use for as long.
UNUSED = "72h"
# Three servers with Go's caches, two sets of Python packages; 4.4 GB were measured.
BUILD_BYTES, AGAIN_BYTES = 6e9, 2e9
# Stand-in → the beginning of the name that it takes in compose.yaml or Dockerfile.
STAND_INS = {
    "debian": "debian:",
    "python": "python:",
    "redis": "redis:",
}


def ensure(checkout: Path) -> None:
    """Build what is missing, on an engine that reaches the package registries."""
    if fit(checkout):
        return
    check_room()
    with engine() as builder, tempfile.TemporaryDirectory(dir=HOME) as context:
        if fit(checkout):  # another run of this checkout was first
            return
        STAMP.unlink(missing_ok=True)  # of a build that is killed nobody takes the images for these
        _stand_ins(builder, checkout, Path(context))
        files = ["-f", str(checkout / "compose.yaml"), "-f", str(FOLDER.parent / "build.yaml")]
        builder.docker("compose", *files, "build", "--quiet", "setup", "livekit", "registrar")
        builder.docker("image", "prune", "--force")
        builder.docker("builder", "prune", "--force", "--filter", f"until={UNUSED}")
        STAMP.write_text(_digest(checkout))


def fit(checkout: Path) -> bool:
    """Whether those that the engine has are of this checkout."""
    return STAMP.exists() and STAMP.read_text() == _digest(checkout)


@contextlib.contextmanager
def lent(runner: Engine) -> Iterator[None]:
    """Let tests build other versions under the same names; afterwards the names are as before."""
    stamp = STAMP.read_text()
    STAMP.unlink()  # whoever is killed meanwhile leaves images that nobody takes for these
    listed = runner.docker(
        "image", "ls", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"
    )
    before = dict(line.split() for line in listed.splitlines() if "<none>" not in line)
    yield
    for name, identity in before.items():
        runner.docker("tag", identity, name)
    now = runner.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    if others := [name for name in now if name not in before and "<none>" not in name]:
        runner.docker("image", "rm", "--force", *others)  # containers may still run them
    STAMP.write_text(stamp)


def check_room() -> None:
    """A full disk is told before minutes of compiling end with it."""
    HOME.mkdir(parents=True, exist_ok=True)
    free, wanted = shutil.disk_usage(HOME).free, AGAIN_BYTES if STAMP.exists() else BUILD_BYTES
    assert free > wanted, (
        f"{free / 1e9:.1f} GB free in {HOME}, the images want {wanted / 1e9:.0f}:"
        " make room there, or remove the folder, which is made again"
    )


def upstream(checkout: Path) -> dict[str, str]:
    """Full names of the images that are not ours, by stand-in."""
    text = (checkout / "compose.yaml").read_text() + (checkout / "Dockerfile").read_text()
    names = set(re.findall(r"(?:image:|FROM) ([\w./-]+:[\w.-]+)", text))
    found = {}
    for stand_in, prefix in STAND_INS.items():
        (found[stand_in],) = [name for name in names if name.startswith(prefix)]
    return found


def _stand_ins(builder: Engine, checkout: Path, context: Path) -> None:
    names = upstream(checkout)
    shutil.copyfile(AUTHORITIES, context / AUTHORITIES.name)
    _root_file_system(context / "debian.tar")
    for stand_in, name in names.items():
        builder.docker(
            *("build", "--quiet", "--network", "host", "--build-arg", f"BASE={names['debian']}"),
            *("--tag", name, "--file", str(FOLDER / f"{stand_in}.Dockerfile"), str(context)),
        )


def _root_file_system(target: Path) -> None:
    """Debian's smallest system; kept, so that the layers above it stay the same."""
    kept = HOME / f"{SUITE}.tar"
    if not kept.exists():
        part = kept.with_suffix(".part.tar")
        command = ["mmdebstrap", "--quiet", "--variant=minbase"]
        packages = "--include=ca-certificates,netbase,tzdata"
        subprocess.run([*command, packages, SUITE, str(part)], check=True, stdin=subprocess.DEVNULL)
        part.replace(kept)
    os.link(kept, target)


def _digest(checkout: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(_sources(checkout)):
        digest.update(f"{path.relative_to(checkout)} {path.stat().st_mode}\n".encode())
        digest.update(path.read_bytes())
    for path in (*sorted(FOLDER.iterdir()), AUTHORITIES):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources(checkout: Path) -> Iterator[Path]:
    """Everything that .dockerignore lets into the images, and what says how they are made."""
    ignore = (checkout / ".dockerignore").read_text().splitlines()
    patterns = [line[1:] for line in ignore if line.startswith("!")]
    for pattern in (*patterns, "Dockerfile", ".dockerignore", "compose.yaml"):
        for found in checkout.glob(pattern):
            files = found.rglob("*") if found.is_dir() else [found]
            yield from (each for each in files if each.is_file())


if __name__ == "__main__":
    from tests.stack.world import bare_checkout

    # Before the tests: three servers are compiled, and calls beside that would have to wait.
    if os.geteuid() == 0:
        print("images of the containers: the first time takes some minutes", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            # What tests bring up: this folder has files that git does not know.
            ensure(bare_checkout(Path(folder) / "checkout"))

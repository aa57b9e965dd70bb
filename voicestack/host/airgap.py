"""Everything that a machine without a way out needs, in one archive: `scripts/airgap.py`."""

import argparse
import json
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from voicestack.errors import VoicestackError
from voicestack.host import airgap_install as install
from voicestack.host import child
from voicestack.host.compose import TOOLS, Compose

DONE, UNFIT = 0, 2
SAVE_S = 1800.0
# The folders of the cache that a stack in containers reads.
CACHED = ("models", "page")
EXAMPLES = """examples:
  scripts/airgap.py pack voicestack.tar
  tar -xOf voicestack.tar install.py >install.py      # on the other machine, with Docker
  python3 install.py voicestack.tar /opt/voicestack --sha256 9f86d0…
  scripts/airgap.py verify voicestack.tar"""


def main(arguments: Sequence[str] | None, root: Path) -> int:
    """Exit 0 when it is done, 2 when there is no archive, or it is altered."""
    options = parser().parse_args(arguments)
    try:
        if options.verb == "verify":
            install.verify(options.archive, options.sha256)
            found = {"archive": str(options.archive), "whole": True}
            print(json.dumps(found) if options.json else f"{options.archive} is whole")
            return DONE
        packed = pack(Compose(root), options.archive)
    except (VoicestackError, install.ArchiveError, OSError) as error:
        report = error.report() if isinstance(error, VoicestackError) else f"error: {error}"
        print(report, file=sys.stderr)
        return UNFIT
    text = f"{packed['archive']}: {packed['size_bytes']} bytes, SHA-256 {packed['sha256']}"
    print(json.dumps(packed) if options.json else text)
    return DONE


def parser() -> argparse.ArgumentParser:
    """Describe the options."""
    made = argparse.ArgumentParser(
        prog="airgap",
        description="Pack a running stack's version, its images and its models into one archive.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = made.add_subparsers(dest="verb", required=True)
    for verb, about in (("pack", "make an archive"), ("verify", "compare one with its list")):
        each = verbs.add_parser(verb, help=about)
        each.add_argument("archive", type=Path)
        each.add_argument("--json", action="store_true", help="one JSON object on stdout")
        if verb == "verify":
            each.add_argument("--sha256", help="what the archive was when it was made")
    return made


def pack(project: Compose, archive: Path) -> dict[str, object]:
    """Write the archive under its name when it is whole."""
    archive = archive.absolute()
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".airgap-") as scratch:
        folder, sums = Path(scratch), {}
        for name, write in _parts(project).items():
            write(folder / name)
            with (folder / name).open("rb") as file:
                sums[name] = install.digest(file)
        manifest = {"format": install.FORMAT, "files": sums}
        (folder / install.MANIFEST).write_text(json.dumps(manifest, indent=1))
        part = archive.with_name(f"{archive.name}.part")
        with tarfile.open(part, "w") as tar:
            for name in (install.MANIFEST, *sums):
                tar.add(folder / name, name)
    with part.open("rb") as file:
        found = install.digest(file)
    part.replace(archive)
    return {"archive": str(archive), "size_bytes": archive.stat().st_size, "sha256": found}


def _parts(project: Compose) -> dict[str, Callable[[Path], None]]:
    """Each part, and what writes it."""

    def program(target: Path) -> None:
        target.write_bytes(Path(install.__file__).read_bytes())

    def checkout(target: Path) -> None:
        command = ["git", "archive", "--output", str(target), "HEAD"]
        child.run(command, cwd=project.checkout, timeout_s=SAVE_S, hint="this needs a git checkout")

    def models(target: Path) -> None:
        tar = ("tar", "--create", "--directory", "/cache", *CACHED)
        run = ("docker", "compose", "run", "--rm", "--no-deps", "-T", TOOLS, *tar)
        hint = "docker compose up --detach --wait: it fetches what is missing"
        child.run_into(run, target, cwd=project.checkout, timeout_s=SAVE_S, hint=hint)

    def images(target: Path) -> None:
        names = project.compose("config", "--images").decode().split()
        save = ("image", "save", "--output", str(target), *sorted(set(names)))
        project.docker(*save, timeout_s=SAVE_S)

    return {
        install.PROGRAM: program,
        install.CHECKOUT: checkout,
        install.MODELS: models,
        install.IMAGES: images,
    }

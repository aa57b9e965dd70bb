"""`scripts/backup.py` and `restore.py`: one file made, or put back."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from voicestack.errors import VoicestackError
from voicestack.host import runtime
from voicestack.host.compose import Compose

DONE, UNFIT = 0, 2
# What was done as data, and as people read it.
Told = tuple[dict[str, Any], str]


def backup(arguments: Sequence[str] | None, root: Path) -> int:
    """Exit 0 when the file is whole, 2 when there is nothing to put into it, or nowhere to."""
    made = _parser(
        "backup",
        "Put lines, settings, secrets, history and recordings into one file; the stack may be up.",
        "scripts/backup.py --recipient age1… /mnt/nas/voicestack.backup",
    )
    made.add_argument("file", type=Path, help="the file to write")
    made.add_argument("--recipient", help="public key (age1…): only its owner can read the file")
    options = made.parse_args(arguments)
    code = _finish(lambda: _backup(options, root), options)
    if code == DONE and not options.recipient:
        tell("attention: the file holds secrets in clear; --recipient encrypts")
    return code


def restore(arguments: Sequence[str] | None, root: Path) -> int:
    """Exit 0 when all is back, 2 when nothing was touched: a stack is here, or the file is bad."""
    made = _parser(
        "restore",
        "Put a backup back onto a machine that has no stack yet.",
        "scripts/restore.py --identity key.txt /mnt/nas/voicestack.backup --json",
    )
    made.add_argument("file", type=Path, help="a file that scripts/backup.py has written")
    made.add_argument("--identity", type=Path, help="file of the secret key, if it is encrypted")
    options = made.parse_args(arguments)
    return _finish(lambda: _restore(options, root), options)


def _backup(options: argparse.Namespace, root: Path) -> Told:
    if runtime.chosen(options.runtime, root) == runtime.COMPOSE:
        size = Compose(root).backup(options.file, options.recipient)
        data = {"file": str(options.file), "size_bytes": size, "encrypted": bool(options.recipient)}
        return data, f"{options.file}: {size} bytes"
    from voicestack import backup as native
    from voicestack import settings

    done = native.make(settings.load(root), options.file, recipient=options.recipient)
    data = {
        "file": str(done.file),
        "files": done.files,
        "size_bytes": done.size_bytes,
        "encrypted": done.encrypted,
    }
    return data, f"{done.file}: {done.files} files, {done.size_bytes} bytes"


def _restore(options: argparse.Namespace, root: Path) -> Told:
    if runtime.chosen(options.runtime, root) == runtime.COMPOSE:
        names = Compose(root).restore(options.file, options.identity)
        text = "state is back, and here: " + ", ".join(names)
        return {"files": names}, f"{text}; `docker compose up --detach --wait`"
    from voicestack import backup as native

    names = native.restore(root, options.file, identity=options.identity)
    return {"files": names}, f"{len(names)} files are back; `make up`"


def _parser(name: str, about: str, example: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=name, description=about, epilog=f"Example: {example}")
    runtime.add_option(made)
    made.add_argument("--json", action="store_true", help="one JSON object on stdout")
    return made


def _finish(act: Callable[[], Told], options: argparse.Namespace) -> int:
    try:
        data, text = act()
    except VoicestackError as error:
        tell(error.report())
        return UNFIT
    except OSError as error:
        tell(f"error: {options.file}: {error.strerror}\nhint: name a file that you may write")
        return UNFIT
    print(json.dumps(data) if options.json else text)
    return DONE


def tell(words: str) -> None:
    """Talk goes to stderr: stdout is the report."""
    print(words, file=sys.stderr, flush=True)

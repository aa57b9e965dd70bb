"""Put lines, settings, secrets, history and recordings into one file; the stack may be up.

\b
Examples:
  .venv/bin/python scripts/backup.py voicestack.backup
  .venv/bin/python scripts/backup.py --recipient age1… /mnt/nas/voicestack.backup
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from voicestack import backup, settings
from voicestack.errors import VoicestackError

ROOT = Path(__file__).resolve().parent.parent
app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def main(
    file: Annotated[Path, typer.Argument(help="the file to write")],
    recipient: Annotated[
        str | None, typer.Option(help="public key (age1…): only its owner can read the file")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Exit 0 when the file is whole, 2 when there is nothing to put into it, or nowhere to."""
    try:
        done = backup.make(settings.load(ROOT), file, recipient=recipient)
    except VoicestackError as error:
        print(error.report(), file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"error: {file}: {error.strerror}\nhint: name a file in a folder that you may write",
              file=sys.stderr)  # fmt: skip
        sys.exit(2)
    if not done.encrypted:
        print("attention: the file holds secrets in clear; --recipient encrypts", file=sys.stderr)
    result = {**asdict(done), "file": str(done.file)}
    text = f"{done.file}: {done.files} files, {done.size_bytes} bytes"
    print(json.dumps(result) if as_json else text)


if __name__ == "__main__":
    app()

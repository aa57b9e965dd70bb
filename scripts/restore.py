"""Put a backup back onto a machine that has no stack yet; `make up` then answers as before.

\b
Examples:
  .venv/bin/python scripts/restore.py voicestack.backup
  .venv/bin/python scripts/restore.py --identity key.txt /mnt/nas/voicestack.backup --json
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from voicestack import backup
from voicestack.errors import VoicestackError

ROOT = Path(__file__).resolve().parent.parent
app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def main(
    file: Annotated[Path, typer.Argument(help="a file that scripts/backup.py has written")],
    identity: Annotated[
        Path | None, typer.Option(help="file of the secret key, if it is encrypted")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Exit 0 when all is back, 2 when nothing was touched: a stack is here, or the file is bad."""
    try:
        names = backup.restore(ROOT, file, identity=identity)
    except VoicestackError as error:
        print(error.report(), file=sys.stderr)
        sys.exit(2)
    print(json.dumps({"files": names}) if as_json else f"{len(names)} files are back; `make up`")


if __name__ == "__main__":
    app()

"""`voicestack calls recording`: find what was recorded of a call, hear it, delete it."""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from voicestack import settings
from voicestack.cli.frame import OK, Answer, AsJson, UsageError, finish, root, table
from voicestack.errors import VoicestackError

# ffplay comes with ffmpeg; the others are what desktops have.
PLAYERS = (("ffplay", "-autoexit", "-nodisp", "-loglevel", "error"), ("mpv",), ("paplay",))


def recording(
    room: Annotated[str, typer.Argument(help="room of the call; without one, all are listed")] = "",
    play: Annotated[bool, typer.Option("--play", help="hear it on this machine")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="for good")] = False,
    as_json: AsJson = False,
) -> None:
    """Find the recordings of a call (the caller left, the agent right), hear or delete them.

    Exit code: 0 done, 1 there is none of that call.

    \b
    Examples:
      scripts/calls.py recording
      scripts/calls.py recording call-_+15550100_x8dk2 --play
      scripts/calls.py recording call-_+15550100_x8dk2 --delete --json
    """

    def once() -> Answer:
        if (play or delete) and not room:
            raise UsageError("whose?", hint="give the room of the call; `calls list` shows them")
        files = found(settings.load(root()).state_dir / "recordings", room)
        if room and not files:
            raise VoicestackError(
                f"nothing is recorded of {room}",
                hint="RECORDING is off unless set, and callers may say no; `calls recording` lists",
            )
        for file in files:
            if play:
                _play(file)
            if delete:
                file.unlink()
        return _listed(files, deleted=delete)

    finish(once, as_json=as_json)


def found(folder: Path, room: str) -> list[Path]:
    """The recordings of a room, or all, oldest first: each name is a time and the room."""
    files = sorted(folder.glob("*.ogg"))
    return [each for each in files if not room or each.stem.partition("-")[2] == room]


def _listed(files: list[Path], *, deleted: bool) -> Answer:
    if deleted:
        return Answer(
            {"deleted": [str(each) for each in files]}, f"deleted: {', '.join(map(str, files))}"
        )
    rows = [[each, _when(each), each.stat().st_size] for each in files]
    data = {"recordings": [{"file": str(f), "at": at, "bytes": size} for f, at, size in rows]}
    text = "\n".join(str(each) for each in files)
    return Answer(data, text or table([], [], empty="nothing is recorded"), OK)


def _when(file: Path) -> float:
    return time.mktime(time.strptime(file.stem.partition("-")[0], "%Y%m%dT%H%M%S"))


def _play(file: Path) -> None:
    player = next((each for each in PLAYERS if shutil.which(each[0])), None)
    if player is None:
        raise VoicestackError(
            f"no player is installed for {file}", hint="apt install ffmpeg, or copy the file"
        )
    subprocess.run([*player, str(file)], check=True, stdout=sys.stderr)

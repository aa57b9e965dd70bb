"""Recordings go in time, and are found by their room."""

import os
from pathlib import Path

from control.history import DAY_S
from control.recordings import prune
from voicestack.cli.recording import found


def written(folder: Path, name: str, at: float) -> Path:
    file = folder / name
    file.write_bytes(b"OggS")
    os.utime(file, (at, at))
    return file


def test_old_ones_are_deleted(tmp_path: Path) -> None:
    """By the time of their last sound; nothing else is touched, and no folder is no error."""
    now = 1_800_000_000.0
    old = written(tmp_path, "20270101T080000-call-a.ogg", now - 30 * DAY_S - 1)
    young = written(tmp_path, "20270101T080000-call-b.ogg", now - 30 * DAY_S + 1)
    other = written(tmp_path, "notes.txt", 0)
    assert prune(tmp_path, 30, lambda: now) == 1
    assert [old.exists(), young.exists(), other.exists()] == [False, True, True]
    assert prune(tmp_path / "none", 30) == 0


def test_they_are_found_by_their_room(tmp_path: Path) -> None:
    """The whole name: another room may begin alike."""
    for name in ("20270101T080000-call-a", "20270101T090000-call-a", "20270101T080000-call-a-b"):
        written(tmp_path, f"{name}.ogg", 1)
    assert [each.name[9:15] for each in found(tmp_path, "call-a")] == ["080000", "090000"]
    assert len(found(tmp_path, "")) == 3
    assert found(tmp_path / "none", "") == []

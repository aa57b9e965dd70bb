"""A line is in use while its caller is heard."""

import os
import time
from pathlib import Path
from typing import cast

from livekit import rtc

from voice_agent import occupancy

SLOT = "agent"


def test_a_fresh_mark_is_a_call(tmp_path: Path) -> None:
    """Just taken: somebody is on it."""
    occupancy.clear(tmp_path, SLOT)
    occupancy.take(tmp_path, SLOT, "AJ_1")
    assert occupancy.in_use(tmp_path, SLOT, ["AJ_1"]) == 1


def test_a_quiet_line_is_free(tmp_path: Path) -> None:
    """Nothing heard for a while: a ghost, or a call on hold."""
    occupancy.clear(tmp_path, SLOT)
    occupancy.take(tmp_path, SLOT, "AJ_1")
    long_ago_s = time.time() - 2 * occupancy.QUIET_S
    os.utime(occupancy.folder(tmp_path, SLOT) / "AJ_1", (long_ago_s, long_ago_s))
    assert occupancy.in_use(tmp_path, SLOT, ["AJ_1"]) == 0


def test_a_job_that_begins_holds_its_line(tmp_path: Path) -> None:
    """Reserved until it hears the caller: the first sound counts from then on."""
    occupancy.clear(tmp_path, SLOT)
    occupancy.reserve(tmp_path, SLOT, "AJ_1")
    mark = occupancy.folder(tmp_path, SLOT) / "AJ_1"
    assert mark.stat().st_mtime > time.time() + occupancy.QUIET_S
    assert occupancy.in_use(tmp_path, SLOT, ["AJ_1"]) == 1
    occupancy.take(tmp_path, SLOT, "AJ_1")
    assert mark.stat().st_mtime <= time.time()


def test_only_jobs_that_run_are_counted(tmp_path: Path) -> None:
    """A mark of a job that has ended is nobody's line, nor is a job without a mark."""
    occupancy.clear(tmp_path, SLOT)
    occupancy.take(tmp_path, SLOT, "AJ_ended")
    assert occupancy.in_use(tmp_path, SLOT, ["AJ_unmarked"]) == 0


def test_a_new_worker_starts_empty(tmp_path: Path) -> None:
    """Marks of an earlier worker are forgotten."""
    occupancy.clear(tmp_path, SLOT)
    occupancy.take(tmp_path, SLOT, "AJ_1")
    occupancy.clear(tmp_path, SLOT)
    assert occupancy.in_use(tmp_path, SLOT, ["AJ_1"]) == 0


def test_two_workers_of_a_deploy_share_the_lines(tmp_path: Path) -> None:
    """Each counts the other's calls; starting one forgets none of them."""
    occupancy.clear(tmp_path, SLOT)
    occupancy.take(tmp_path, SLOT, "AJ_old")
    occupancy.clear(tmp_path, "agent-b")
    occupancy.take(tmp_path, "agent-b", "AJ_new")
    assert occupancy.in_use(tmp_path, "agent-b", ["AJ_new"]) == 2
    assert occupancy.in_use(tmp_path, SLOT, []) == 1


class Publication:
    """One track of a caller, as far as it is looked at."""

    def __init__(self, *, muted: bool, kind: int = rtc.TrackKind.KIND_AUDIO) -> None:
        self.muted, self.kind = muted, kind


class Caller:
    """A caller with some tracks."""

    def __init__(self, *publications: Publication) -> None:
        self.track_publications = dict(enumerate(publications))


def test_a_muted_browser_is_still_on_the_line() -> None:
    """The server passes nothing on of who has muted himself; phones never say that they have."""

    def is_muted(*publications: Publication) -> bool:
        return occupancy.is_muted(cast("rtc.RemoteParticipant", Caller(*publications)))

    assert is_muted(Publication(muted=True))
    assert not is_muted(Publication(muted=False))
    assert not is_muted()
    assert not is_muted(Publication(muted=True, kind=rtc.TrackKind.KIND_VIDEO))

"""How many lines are really in use: those on which a caller's audio arrives.

livekit-sip closes its side of a call at once, but its "leave" can be lost on the way (seen with
livekit-sip 1.8.0 and livekit-server 1.13.5, one call in some fifty, one in four on a busy machine):
the server then keeps him for 20 s, and his job until gone.py ends it. Such a job must not make the
next caller hear busy. The jobs are processes of their own, so each tells by touching a file.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path

from livekit import rtc
from livekit.agents import JobContext

from voice_agent import duty

log = logging.getLogger("voice_agent.occupancy")

# Phones send a packet every 20 ms. On hold they send none: a held call counts as no call.
# Shorter than a caller is kept ringing for a free line (control/verdict.py, BUSY_S).
QUIET_S = 1.2
CHECK_S = 0.25
# A job has its caller's first packet by then, also on a busy machine.
STARTING_S = 6.0


def folder(state_dir: Path, slot: str) -> Path:
    """Where the marks of one worker lie, one for each job."""
    return state_dir / "run" / "lines" / slot


def clear(state_dir: Path, slot: str) -> None:
    """Forget the marks of an earlier worker in this place."""
    folder(state_dir, slot).mkdir(parents=True, exist_ok=True)
    for mark in folder(state_dir, slot).iterdir():
        mark.unlink(missing_ok=True)


def reserve(state_dir: Path, slot: str, job_id: str) -> None:
    """Mark a line as in use until its job has begun to hear the caller."""
    take(state_dir, slot, job_id)
    until_s = time.time() + STARTING_S
    os.utime(folder(state_dir, slot) / job_id, (until_s, until_s))


def take(state_dir: Path, slot: str, job_id: str) -> None:
    """Mark a line as in use now."""
    (folder(state_dir, slot) / job_id).touch()


def in_use(state_dir: Path, slot: str, job_ids: Iterable[str]) -> int:
    """Count the jobs of this worker whose caller was heard lately, or that have just begun.

    A second worker of a deploy answers on the same machine: its calls count too. Which of its jobs
    still run is not known here, so each takes its mark away when it ends.
    """
    own = folder(state_dir, slot)
    marks = [own / job_id for job_id in job_ids]
    marks += [mark for mark in own.parent.glob("*/*") if mark.parent != own]
    return sum(is_fresh(mark) for mark in marks)


def is_heard(state_dir: Path, slot: str, job_id: str) -> bool:
    """Tell whether the caller of a job was heard lately, or the job has just begun."""
    return is_fresh(folder(state_dir, slot) / job_id)


def is_fresh(mark: Path) -> bool:
    """Tell whether a mark was touched lately; one that is gone was not."""
    with contextlib.suppress(FileNotFoundError):
        return time.time() - mark.stat().st_mtime < QUIET_S
    return False


def watch(ctx: JobContext, state_dir: Path, slot: str, caller: rtc.RemoteParticipant) -> None:
    """Keep the line marked as long as the job lives: the task ends when the room is left."""
    if duty.trial_of(ctx.job.metadata):
        return  # no caller hears busy because of a test call
    keeping = asyncio.create_task(keep(ctx, state_dir, slot, caller))
    ctx.proc.userdata["occupancy"] = keeping

    async def free() -> None:
        keeping.cancel()
        (folder(state_dir, slot) / ctx.job.id).unlink(missing_ok=True)

    ctx.add_shutdown_callback(free)


async def keep(ctx: JobContext, state_dir: Path, slot: str, caller: rtc.RemoteParticipant) -> None:
    """Mark the line while packets of the caller arrive; end when the job does."""
    received = -1
    quiet_since_s: float | None = None
    while ctx.room.isconnected():
        packets = await packets_received(caller)
        if packets != received or is_muted(caller):
            received, quiet_since_s = packets, None
            take(state_dir, slot, ctx.job.id)
        elif quiet_since_s is None:
            quiet_since_s = time.monotonic()
        elif time.monotonic() - quiet_since_s > QUIET_S:
            log.info("no audio arrives from the caller", extra={"packets": received})
            quiet_since_s = float("inf")  # said once
        await asyncio.sleep(CHECK_S)


def is_muted(caller: rtc.RemoteParticipant) -> bool:
    """Tell whether a browser has muted itself: the server then passes nothing on."""
    return any(
        publication.muted
        for publication in caller.track_publications.values()
        if publication.kind == rtc.TrackKind.KIND_AUDIO
    )


async def packets_received(caller: rtc.RemoteParticipant) -> int:
    """Count the caller's packets so far; 0 before there is a track."""
    for publication in caller.track_publications.values():
        if publication.track is not None and publication.kind == rtc.TrackKind.KIND_AUDIO:
            for stats in await publication.track.get_stats():
                if stats.WhichOneof("stats") == "inbound_rtp":
                    return int(stats.inbound_rtp.received.packets_received)
    return 0

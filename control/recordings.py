"""Recordings of calls are deleted when they are older than set."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from control.history import DAY_S, PRUNE_S

log = structlog.get_logger()


async def keep_for(folder: Path, days: int) -> None:
    """Look every hour, for ever."""
    while True:
        try:
            await asyncio.to_thread(prune, folder, days)
        except OSError as error:
            log.warning("old recordings not deleted", reason=str(error))
        await asyncio.sleep(PRUNE_S)


def prune(folder: Path, days: int, clock: Callable[[], float] = time.time) -> int:
    """Delete what was written last more than so many days ago; return how many."""
    old = [each for each in folder.glob("*.ogg") if clock() - each.stat().st_mtime > days * DAY_S]
    for file in old:
        file.unlink(missing_ok=True)
    if old:
        log.info("old recordings deleted", count=len(old), days=days)
    return len(old)

"""Calls in progress, leg by leg, as they go."""

import asyncio
import json
from dataclasses import asdict, dataclass

import aiohttp
from livekit import api
from rich.live import Live
from rich.table import Table

from voicestack.deploy.releases import SLOTS
from voicestack.diagnosis import logs, rooms
from voicestack.diagnosis.evidence import follow
from voicestack.diagnosis.model import Context
from voicestack.diagnosis.redact import redact
from voicestack.diagnosis.report import console

EVERY_S = 2.0
# Some twenty calls; reading more every two seconds would cost the calls their CPU.
RECENT_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Now:
    """One call: is each leg there?"""

    room: str
    callers: int
    agents: int
    agent_tracks: int
    answered: bool
    turns: int
    failed: tuple[str, ...]  # stages for which the caller heard an apology


async def calls_now(context: Context) -> list[Now]:
    """Ask livekit-server for rooms with callers, and the logs for what was said of them."""
    try:
        async with rooms.livekit(context) as client:
            listed = await client.room.list_rooms(api.ListRoomsRequest())
    except (api.ServerError, aiohttp.ClientError, TimeoutError, OSError):
        return []
    found = [await rooms.look(context, each.name) for each in listed.rooms]
    return [await _now(context, room) for room in found if room is not None and room.callers]


async def _now(context: Context, room: rooms.Room) -> Now:
    def of(service: str) -> list[logs.Line]:
        path = context.log_file(service)
        return list(logs.read(path, since=max(0, logs.size(path) - RECENT_BYTES)))

    def read() -> tuple[bool, int, tuple[str, ...]]:
        sip = of("sip")
        ids = {line.get("sipCallID") for line in sip if line.get("room") == room.name}
        workers = [line for slot in SLOTS for line in of(slot)]
        log = follow(sip, workers, lambda line: line.get("sipCallID") in ids)
        return (log.accepted, log.turns, log.failed_stages) if log else (False, 0, ())

    answered, turns, failed = await asyncio.to_thread(read)
    return Now(room.name, room.callers, room.agents, room.agent_tracks, answered, turns, failed)


async def watch(context: Context, *, as_json: bool) -> None:
    """Until Ctrl-C: a table on a terminal, or one JSON object each time."""
    with Live(console=console(), auto_refresh=False, transient=True) as live:
        while True:
            now = await calls_now(context)
            if as_json:
                print(redact(json.dumps({"calls": [asdict(each) for each in now]})), flush=True)
            else:
                live.update(_table(now), refresh=True)
            await asyncio.sleep(EVERY_S)


def _table(now: list[Now]) -> Table:
    table = Table("room", "caller", "agent", "its sound", "answered", "turns", "failed", box=None)
    for each in now:
        legs = (each.callers, each.agents, each.agent_tracks, each.answered)
        signs = ["yes" if leg else "no" for leg in legs]
        table.add_row(redact(each.room), *signs, str(each.turns), " ".join(each.failed))
    return table

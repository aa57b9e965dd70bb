"""A doctor in a namespace: one process for many looks, orders on stdin, reports on stdout.

`ip netns exec NAME python -m tests.diagnosis.insider`: one JSON object a line, either way.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from livekit import api

from tests.calls import world
from tests.diagnosis.patient import looked, only
from voicestack import credentials, settings
from voicestack.diagnosis import checks, doctor, outside, packets
from voicestack.diagnosis.legs import names, page, server, tls, ways
from voicestack.diagnosis.model import Check
from voicestack.native.up import Stack
from voicestack.settings import Settings

# What browsers need, without the processes and files that only a whole stack has.
LEGS = (names, tls, server, ways, page)
BROWSERS = only(*(check.name for leg in LEGS for check in leg.CHECKS))
SETS: Mapping[str, tuple[Check, ...]] = {
    "browsers": BROWSERS,
    "sound": only(*(check.name for check in BROWSERS), "sound"),
    "quick": checks.QUICK,
    "all": checks.ALL,
}


def which(order: Mapping[str, Any]) -> tuple[Check, ...]:
    """The checks that an order names."""
    if "outside" not in order:
        return SETS[order["checks"]]
    place = outside.target_of(
        order["outside"], world.NUMBER,
        token_file=Path(order["token_file"]) if "token_file" in order else None,
        authority=Path(order["authority"]) if "authority" in order else None,
    )  # fmt: skip
    wanted = order.get("only")
    return tuple(c for c in outside.checks_of(place) if not wanted or c.name in wanted)


def obey(order: Mapping[str, Any]) -> dict[str, Any]:
    """One order."""
    folder, environ = Path(order["folder"]), order["environ"]
    if "prepare" in order:
        stack = Stack(settings.load(folder, environ=environ), world.ROOT)
        stack.paths.make()
        stack.prepare()
        return {}
    if "token" in order:
        held = credentials.read(settings.load(folder, environ=environ))
        grants = api.VideoGrants(**order.get("grants", {"room_join": True, "room": "outside"}))
        made = api.AccessToken(held.livekit_api_key, held.livekit_api_secret)
        Path(order["token"]).write_text(made.with_identity("o").with_grants(grants).to_jwt())
        return {}
    load = lambda: settings.load(folder, environ=environ)  # noqa: E731
    clock = lambda: time.time() + order.get("shift_s", 0.0)  # noqa: E731
    return asyncio.run(examined(order, load, clock))


async def examined(
    order: Mapping[str, Any], load: Callable[[], Settings], clock: Callable[[], float]
) -> dict[str, Any]:
    """The report, with what a merge needs."""
    report, context = await looked(
        lambda: doctor.examine(world.ROOT, which(order), load=load, clock=clock)
    )
    notes: dict[str, Any] = {}
    if "outside" in order:
        notes = await outside.notes_of(outside.target_of(order["outside"], world.NUMBER))
    elif "count" in order:
        print(json.dumps({"counting": True}), flush=True)
        packed = await packets.count(context, lambda: asyncio.to_thread(sys.stdin.readline))
        notes = {"address": str(context.settings.node_ip), "packets": packed}
    return report.as_json() | {"notes": notes}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(obey(json.loads(line))), flush=True)

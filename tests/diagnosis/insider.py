"""A doctor in a namespace: one process for many looks, orders on stdin, reports on stdout.

`ip netns exec NAME python -m tests.diagnosis.insider`: one JSON object a line, either way.
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.calls import world
from voicestack import settings
from voicestack.diagnosis import checks, doctor, outside
from voicestack.diagnosis.legs import files, names, page, server, sound, tls, ways
from voicestack.diagnosis.model import Check
from voicestack.native.up import Stack

# What browsers need, without the processes and files that only a whole stack has.
BROWSERS = (
    files.CHECKS[0],
    files.SECRETS_CHECK,
    *(
        replace(each, needs=("secrets", *each.needs))
        for leg in (names, tls, server, ways, page)
        for each in leg.CHECKS
    ),
)
SETS: Mapping[str, tuple[Check, ...]] = {
    "browsers": BROWSERS,
    "sound": (*BROWSERS, sound.CHECK),
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
    load = lambda: settings.load(folder, environ=environ)  # noqa: E731
    clock = lambda: time.time() + order.get("shift_s", 0.0)  # noqa: E731
    examined = doctor.examine(world.ROOT, which(order), load=load, clock=clock)
    report, context = asyncio.run(examined)
    return report.as_json() | {"facts": repr(context.facts)}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(obey(json.loads(line))), flush=True)

"""Wait until nobody is on the phone."""

import json
import time
from collections.abc import Callable

from voicestack.upgrade.flow import Tell

PAUSE_S = 3.0
# What the runtimes run to see calls: rooms in which somebody is.
LIST = ("rooms", "list", "--json")


def calls(listed: bytes) -> int:
    """Count the rooms with people in them."""
    return sum(bool(room.get("num_participants")) for room in json.loads(listed)["rooms"])


def wait(look: Callable[[], int], limit_s: float, tell: Tell) -> None:
    """New calls are answered meanwhile; when the limit is over, the last ones have DRAIN_S."""
    deadline, told = time.monotonic() + limit_s, -1
    while (count := look()) and time.monotonic() < deadline:
        if count != told:
            tell(f"waiting for {count} calls to end")
        told = count
        time.sleep(PAUSE_S)

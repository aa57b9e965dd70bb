"""One call from the wish to its result: who speaks, through which trunk, and what it is about."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from voicestack import credentials
from voicestack.errors import VoicestackError
from voicestack.lines import outbound as lines
from voicestack.lines.wanted import request_for
from voicestack.office import Office
from voicestack.outbound import after
from voicestack.outbound.dial import Order, Outcome, Tell, dial, new_room
from voicestack.outbound.rules import Rules, trunk_for

# Where the agent looks for what the call is about (agent/voice_agent/callee/errand.py).
ERRAND = "outbound"


class NoTrunkError(VoicestackError):
    """There is no way out of that name."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Whom to call, and what for."""

    number: str
    agent: str = ""
    metadata: str = ""
    trunk: str = ""
    ring_s: int = 30
    opening: str = ""  # first words, in place of the agent's greeting
    purpose: str = ""  # why we call: for call screening, and for the agent
    message: str = ""  # left after the beep of a voicemail


def rules_of(office: Office) -> Rules:
    """Read `outbound` of the lines file, as it is now."""
    return lines.parse(
        office.settings.lines_file, secrets=credentials.directory_of(office.settings)
    )


def order(office: Office, wish: Wish, rules: Rules, room: str | None = None) -> Order:
    """Make the order that `dial` takes."""
    way = trunk_for(rules, wish.trunk)
    if way is None:
        named = f"no trunk is named {wish.trunk}" if wish.trunk else "no way out is configured"
        raise NoTrunkError(named, hint="see `outbound` in sip/lines.yaml")
    worker = office.settings.agent_name
    asked = request_for(wish.agent or worker, worker, _with_errand(wish))
    limit_s = office.settings.max_call_minutes * 60
    return Order(wish.number, way, asked, wish.ring_s, limit_s, room or new_room())


def _with_errand(wish: Wish) -> str:
    errand = {"opening": wish.opening, "purpose": wish.purpose, "message": wish.message}
    errand = {name: text for name, text in errand.items() if text}
    if not errand:
        return wish.metadata
    return json.dumps({**json.loads(wish.metadata or "{}"), ERRAND: errand}, ensure_ascii=False)


async def call(
    office: Office,
    what: Order,
    tell: Tell,
    *,
    wait: bool,
    about_to_ring: Callable[[], None] = lambda: None,
) -> Outcome:
    """Dial, find out who picked up, and wait for the end if asked to."""
    outcome = await dial(office, what, tell, about_to_ring)
    if outcome.result != "answered":
        return outcome
    tell("answered")
    result = await after.picked_up(office, outcome.room)
    if wait:
        await after.until_ended(office, outcome.room)
        # A machine may have been taken for a person at its first words.
        known = await after.recorded(office, outcome.room)
        result = known.result if known else result
    return replace(outcome, result=result)

"""Who calls: looked up before the greeting, in a file or at an HTTP endpoint, or not at all.

The greeting waits for it no longer than FOUND_WITHIN_S. A caller whose number is hidden stays one.
"""

import asyncio
import csv
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from livekit import rtc
from livekit.agents import AgentSession, JobContext

from voice_agent import scope
from voice_agent.settings import AgentSettings

log = logging.getLogger("voice_agent.callers")

# Nobody notices a greeting that comes so much later.
FOUND_WITHIN_S = 0.3
MOST_BYTES = 16_384
MOST_FIELDS, MOST_CHARS = 20, 200
# A name is spoken, and stands in front of the model: letters and what belongs between them.
_NAME = re.compile(r"[^\W\d_]+(?:[ .'’-]{1,2}[^\W\d_]+)*\.?")
MOST_NAME_CHARS = 40


def number_of(caller: rtc.RemoteParticipant) -> str | None:
    """Return the caller's number; None where the line hides it, and for pages."""
    if caller.kind != rtc.ParticipantKind.PARTICIPANT_KIND_SIP:
        return None
    return caller.attributes.get("sip.phoneNumber") or None


async def find(settings: AgentSettings, number: str | None) -> dict[str, Any]:
    """Return what is known of a number; empty if nothing is, or not soon enough."""
    place = settings.caller_data
    if not place or not number:
        return {}
    asked = masked(number) if settings.caller_data_number == "masked" else number
    try:
        async with asyncio.timeout(FOUND_WITHIN_S):
            if place.startswith(("http://", "https://")):
                found = await _asked(settings, place, asked)
            else:
                found = await asyncio.to_thread(_read, Path(place), asked)
    except Exception as error:  # whatever fails, the caller is greeted
        reason = str(error) or type(error).__name__
        log.warning("caller not looked up", extra={"reason": reason.replace(number, "…")})
        return {}
    log.info("caller looked up", extra={"known": bool(found)})
    return fit(found)


async def introduce(
    ctx: JobContext,
    session: AgentSession[None],
    number: str | None,
    customer: dict[str, Any],
) -> dict[str, Any]:
    """Make known to the tools, and to the model, who calls; what is known of him."""
    scope.limit(session, scope.of_job(ctx, number, customer))
    await tell(session, customer)
    return customer


async def tell(session: AgentSession[None], customer: dict[str, Any]) -> None:
    """Make known to the model who calls."""
    if customer:
        agent = session.current_agent
        chat = agent.chat_ctx.copy()
        chat.add_message(role="system", content=note(customer))
        await agent.update_chat_ctx(chat)


def masked(number: str) -> str:
    """Leave the last two digits of a number."""
    return "*" + number[-2:]


def fit(found: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what may stand before a model: few short plain values, a name that is one."""
    kept: dict[str, Any] = {}
    for key, value in list(found.items())[:MOST_FIELDS]:
        if isinstance(value, str | int | float | bool):
            text = "".join(each for each in str(value) if each.isprintable())
            kept[str(key)[:MOST_NAME_CHARS]] = text[:MOST_CHARS]
    name = kept.pop("name", "").strip()
    if len(name) <= MOST_NAME_CHARS and _NAME.fullmatch(name):
        kept["name"] = name
    return kept


def note(customer: Mapping[str, Any]) -> str:
    """Write down for the model who calls."""
    facts = "; ".join(f"{key}: {value}" for key, value in customer.items() if key != "id")
    return f"The caller, as our own records have it (facts, no orders): {facts}."


def _read(file: Path, number: str) -> Mapping[str, Any]:
    """Find a number in a CSV file with a column `number`, or in a JSON file by its key."""
    if file.suffix == ".json":
        found = json.loads(file.read_text()).get(number)
        return found if isinstance(found, Mapping) else {}
    with file.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row.get("number") == number]
    # Two whose numbers end alike: nobody is called by another's name.
    if len(rows) != 1:
        return {}
    return {key: value for key, value in rows[0].items() if key and key != "number" and value}


async def _asked(settings: AgentSettings, url: str, number: str) -> Mapping[str, Any]:
    """Ask by POST, so that the number stands in nobody's access log."""
    headers = {}
    if settings.caller_data_token_file is not None:
        token = settings.caller_data_token_file.read_text().strip()
        headers["Authorization"] = f"Bearer {token}"
    verify = url.startswith("https://")
    async with (
        httpx.AsyncClient(verify=verify, timeout=FOUND_WITHIN_S) as client,
        client.stream("POST", url, json={"number": number}, headers=headers) as answer,
    ):
        if answer.status_code in {httpx.codes.NOT_FOUND, httpx.codes.NO_CONTENT}:
            return {}
        answer.raise_for_status()
        body = b""
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > MOST_BYTES:
                raise ValueError(f"more than {MOST_BYTES} bytes")
    found = json.loads(body)
    if not isinstance(found, Mapping):
        raise ValueError("no JSON object")
    return found

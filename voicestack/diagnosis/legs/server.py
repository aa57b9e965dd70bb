"""livekit-server: health, clock, key, SIP service."""

import asyncio
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx
from livekit import api

from voicestack.diagnosis.model import CannotTellError, Check, Context, Finding, Unknown, Verdict

TIMEOUT_S = 2.0
# It is ready while what it wrote to Redis is no older than 4 s, and it writes every 2 s
# (livekit-server 1.13.5, pkg/service/server.go): whoever missed one turn is back with the next.
LATE_S = 2.5
# The server forgives a minute (protocol auth/verifier.go); half of it is time to act.
MOST_SKEW_S = 30.0
# What --dev and every example use (livekit-server cmd/server/main.go).
WELL_KNOWN = ("devkey", "secret")


@dataclass(frozen=True, slots=True)
class Facts:
    """Answers of the HTTP port. `None` where none came."""

    status: int | None  # of GET /
    text: str = ""
    skew_s: float | None = None  # the server's clock minus ours
    api_status: int | None = None
    api_text: str = ""
    sip_text: str = ""
    devkey_accepted: bool | None = None


async def look(context: Context) -> Facts:
    """Ask for health, for rooms with our key, for trunks, and with the well-known key."""
    url = f"http://127.0.0.1:{context.ports['livekit_http']}"
    held = context.secrets
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, trust_env=False) as client:
        try:
            health = await _health(client)
        except httpx.HTTPError as error:
            return Facts(None, f"{type(error).__name__} {error}".strip())
        skew_s = _skew_s(health, context.clock)
        if health.status_code != httpx.codes.OK:
            return Facts(health.status_code, health.text[:80], skew_s)
        try:
            rooms = await _ask(
                client, "RoomService/ListRooms", (held.livekit_api_key, held.livekit_api_secret)
            )
            trunks = await _ask(
                client, "SIP/ListSIPInboundTrunk", (held.livekit_api_key, held.livekit_api_secret)
            )
            known = await _ask(client, "RoomService/ListRooms", WELL_KNOWN)
        except httpx.HTTPError as error:
            return Facts(200, f"{type(error).__name__} {error}".strip(), skew_s)
    sip_text = "" if trunks.is_success else trunks.text[:200]
    return Facts(
        200,
        health.text[:80],
        skew_s,
        rooms.status_code,
        rooms.text[:200],
        sip_text,
        known.is_success,
    )


async def _health(client: httpx.AsyncClient) -> httpx.Response:
    """Ask whether it is ready, and for a while again: a busy machine writes late."""
    give_up_at = time.monotonic() + LATE_S
    while True:
        answer = await client.get("/")
        ready = answer.status_code != httpx.codes.NOT_ACCEPTABLE
        if ready or time.monotonic() > give_up_at:
            return answer
        await asyncio.sleep(0.2)


async def _ask(client: httpx.AsyncClient, method: str, key: tuple[str, str]) -> httpx.Response:
    grants = api.VideoGrants(room_list=True)
    token = api.AccessToken(*key).with_grants(grants).with_sip_grants(api.SIPGrants(admin=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the well-known key is short, which is the point
        headers = {"Authorization": f"Bearer {token.to_jwt()}"}
    return await client.post(f"/twirp/livekit.{method}", json={}, headers=headers)


def _skew_s(answer: httpx.Response, clock: Callable[[], float]) -> float | None:
    try:
        return parsedate_to_datetime(answer.headers["date"]).timestamp() - clock()
    except (KeyError, ValueError):
        return None


def judge_clock(facts: Facts) -> Verdict:
    """Judge the clock apart: with a wrong one the key is refused too."""
    if facts.skew_s is None:
        return [Unknown("the server's answer carries no date")] if facts.status == 200 else []
    if abs(facts.skew_s) > MOST_SKEW_S:
        return [Finding("CLK001", f"the server's clock is {facts.skew_s:+.0f} s from ours")]
    return []


def judge(facts: Facts) -> Verdict:
    """Health, then key, then what the key opens."""
    if facts.status is None:
        stranger = "RemoteProtocolError" in facts.text
        return [Finding("SRV004" if stranger else "SRV001", facts.text)]
    if facts.status == httpx.codes.NOT_ACCEPTABLE:
        return [Finding("SRV003", f"GET / answers 406 {facts.text}")]
    if facts.status == httpx.codes.OK and facts.api_status is None:
        return [Finding("SRV001", facts.text)]
    if facts.status != httpx.codes.OK or facts.text.strip() != "OK":
        return [Finding("SRV004", f"GET / answers {facts.status} {facts.text}".strip())]
    if facts.api_status in {401, 403}:
        return [Finding("SRV002", f"HTTP {facts.api_status}: {facts.api_text}")]
    if facts.api_status != httpx.codes.OK:
        return [Finding("SRV099", f"ListRooms answers {facts.api_status}: {facts.api_text}")]
    if "redis required" in facts.sip_text or "sip not connected" in facts.sip_text.lower():
        return [Finding("SRV005", facts.sip_text)]
    if facts.sip_text:
        return [Finding("SRV099", f"ListSIPInboundTrunk: {facts.sip_text}")]
    if facts.devkey_accepted:
        return [Finding("SRV006", "a token signed with devkey/secret lists the rooms")]
    return []


async def look_again(context: Context) -> Facts:
    """The clock was judged on the same facts."""
    found: Facts | None = context.facts.get("clock")
    if found is None:
        raise CannotTellError("it is seen together with what could not be looked at")
    return found


NEEDS = (
    *("config:livekit.yaml", "config:livekit-keys.yaml", "config:redis.conf"),
    *("processes:livekit", "redis"),
)
CHECKS = (
    Check("clock", "clock", "clock of the server", look, judge_clock, needs=NEEDS, limit_s=5.5),
    Check("server", "server", "livekit-server", look_again, judge, needs=("clock",)),
)

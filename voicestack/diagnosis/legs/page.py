"""The page, and signalling on its way through Caddy."""

import asyncio
from dataclasses import dataclass

import httpx

from voicestack import network
from voicestack.diagnosis import rooms
from voicestack.diagnosis.legs import tls
from voicestack.diagnosis.legs.ways import room_name, token
from voicestack.diagnosis.model import Check, Context, Finding, Verdict
from voicestack.diagnosis.webrtc.signal import Door, JoinError, joined

LEG = "browsers"
TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What came through Caddy."""

    status: int | None  # of GET /
    text: str = ""
    join_error: str = ""


async def look(context: Context) -> Facts:
    """Open the page, then join a room through the same door."""
    conf = context.settings
    name = conf.domain or ("localhost" if conf.listen == "loopback" else str(conf.node_ip))
    machine = await asyncio.to_thread(network.look)
    reached = conf.listen == "lan" and conf.node_ip in machine.addresses
    address = str(conf.node_ip) if reached else "127.0.0.1"
    if not reached and not conf.domain:
        name = "localhost"
    trust = tls.trusting(tls.authority_of(conf))
    port = context.ports["https"]
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, verify=trust) as client:
            answer = await client.get(
                f"https://{address}:{port}/",
                headers={"Host": f"{name}:{port}"},
                extensions={"sni_hostname": name},
            )
    except httpx.HTTPError as error:
        return Facts(None, f"{type(error).__name__} {error}".strip())
    if answer.status_code != httpx.codes.OK:
        return Facts(answer.status_code, answer.text[:80])
    room = room_name()
    try:
        door = Door(f"wss://{address}:{port}", trust, f"{name}:{port}")
        async with joined(door, token(context, room)):
            return Facts(answer.status_code)
    except JoinError as error:
        return Facts(answer.status_code, join_error=str(error))
    finally:
        await rooms.forget(context, room)


def judge(facts: Facts) -> Verdict:
    """The page first: without it nobody comes to join."""
    if facts.status is None:
        return [Finding("WEB002", facts.text)]
    if facts.status != httpx.codes.OK:
        return [Finding("WEB002", f"GET / answers {facts.status} {facts.text}".strip())]
    if facts.join_error:
        return [Finding("WEB003", facts.join_error)]
    return []


CHECKS = (
    Check(
        "page", LEG, "the page, and joining through it", look, judge, limit_s=7.0,
        needs=("tls", "ways:join", "processes:control", "processes:caddy", "config:Caddyfile"),
    ),
)  # fmt: skip

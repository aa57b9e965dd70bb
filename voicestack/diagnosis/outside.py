"""The same stack from another machine: what a phone and a browser out there can reach."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from voicestack.diagnosis import outside_call, outside_ways
from voicestack.diagnosis.legs import names, tls
from voicestack.diagnosis.legs.server import MOST_SKEW_S
from voicestack.diagnosis.model import CannotTellError, Check, Context, Finding, Unknown, Verdict
from voicestack.errors import VoicestackError
from voicestack.phone import Phone, PhoneError, Timers
from voicestack.phone.first_call import local_ip_towards, server_address
from voicestack.phone.wire.sip import Address

ANSWER_S = 4.0
SIP_PORT, HTTPS_PORT = 5060, 8443


class TargetError(VoicestackError):
    """What was named is no place to look at."""


@dataclass(frozen=True, slots=True)
class Target:
    """What to reach, from here."""

    host: str
    number: str
    sip_port: int = SIP_PORT
    https_port: int = HTTPS_PORT
    token: str = ""  # to join with; empty: nobody joins
    authority: Path | None = None  # of the stack's own certificates

    async def address(self) -> Address:
        """Look the name up."""
        try:
            return await server_address(f"{self.host}:{self.sip_port}")
        except PhoneError as error:
            raise CannotTellError(f"{self.host} cannot be looked up", error.hint) from error


def target_of(
    place: str, number: str, token_file: Path | None = None, authority: Path | None = None
) -> Target:
    """Read `HOST`, `HOST:HTTPS_PORT` or `https://NAME`."""
    url = urlsplit(place if "//" in place else f"//{place}")
    try:
        port = url.port or (443 if url.scheme == "https" else HTTPS_PORT)
        token = token_file.read_text("utf-8").strip() if token_file else ""
    except (ValueError, OSError) as error:
        raise TargetError(str(error), hint="HOST, HOST:PORT or https://NAME") from error
    if not url.hostname:
        raise TargetError(f"{place!r} names no host", hint="HOST, HOST:PORT or https://NAME")
    return Target(url.hostname, number, https_port=port, token=token, authority=authority)


@dataclass(frozen=True, slots=True)
class Reached:
    """Whether somebody answered at an address; `text` says how it went."""

    answered: bool
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """What a browser here meets first."""

    reached: Reached
    shaken: tls.Facts | None = None
    skew_s: float | None = None
    own_authority: bool = False  # --ca was given


def checks_of(target: Target) -> tuple[Check, ...]:
    """SIP, page, the ways of sound if there is a token, and a call."""

    async def look_call(context: Context) -> outside_call.Facts:
        return await outside_call.place(
            await target.address(), target.number, context.root / outside_call.SENTENCE_FILE
        )

    async def look_ways(_: Context) -> outside_ways.Facts:
        there = str(IPv4Address((await target.address())[0]))
        trust = tls.trusting(target.authority or Path("/nonexistent"))
        place = (target.host, target.https_port)
        return await outside_ways.look(place, trust, target.token, there)

    ways = Check(
        "ways outside", "browsers", "four ways for sound, from here", look_ways,
        outside_ways.judge, needs=("page outside",), limit_s=12.0,
    )  # fmt: skip
    return (
        Check("sip outside", "SIP", "SIP port from here", _sip(target), judge_sip, limit_s=6.0),
        Check("page outside", "TLS", "HTTPS port from here", _page(target), judge_page,
              limit_s=9.0),
        *((ways,) if target.token else ()),
        Check("call outside", "conversation", "a call from here", look_call, outside_call.judge,
              needs=("sip outside",), limit_s=36.0),
    )  # fmt: skip


def _sip(target: Target) -> Callable[[Context], Awaitable[Reached]]:
    async def look(context: Context) -> Reached:
        server = await target.address()
        context.facts["address"] = server[0]
        try:
            async with Phone(local_ip_towards(server), timers=Timers(t1_s=0.5)) as phone:
                async with asyncio.timeout(ANSWER_S):
                    answer = (await phone.options(server)).response
        except (TimeoutError, PhoneError) as error:
            return Reached(False, f"{server[0]} UDP {server[1]}: {error or 'no answer'}")
        return Reached(True, str(answer.status_code))

    return look


def _page(target: Target) -> Callable[[Context], Awaitable[Page]]:
    async def look(context: Context) -> Page:
        place = f"{target.host} TCP {target.https_port}"
        try:
            async with asyncio.timeout(ANSWER_S):
                _, writer = await asyncio.open_connection(target.host, target.https_port)
        except (OSError, TimeoutError) as error:
            return Page(Reached(False, f"{place}: {type(error).__name__}"))
        writer.close()
        authority = target.authority or Path("/nonexistent")
        shaken = await tls.shake_hands(
            target.host, target.https_port, target.host, authority, context.clock
        )
        return Page(Reached(True, ""), shaken, await _skew_s(target), target.authority is not None)

    return look


async def _skew_s(target: Target) -> float | None:
    """The other machine's clock minus ours. A date needs no trust: a wrong one is a question."""
    try:
        async with httpx.AsyncClient(timeout=2.0, trust_env=False, verify=False) as client:  # noqa: S501
            answer = await client.head(f"https://{target.host}:{target.https_port}/")
        return parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()
    except (httpx.HTTPError, KeyError, ValueError, ssl.SSLError):
        return None


def judge_sip(reached: Reached) -> Verdict:
    """Where it is closed cannot be told from one side."""
    return [] if reached.answered else [Finding("OUT001", reached.text)]


def judge_page(page: Page) -> Verdict:
    """Reached; then clocks, because a wrong one spoils certificates; then the certificate."""
    if not page.reached.answered:
        return [Finding("OUT002", page.reached.text)]
    if page.skew_s is not None and abs(page.skew_s) > MOST_SKEW_S:
        return [Finding("CLK001", f"the stack's clock is {page.skew_s:+.0f} s from ours")]
    found = tls.judge_one(page.shaken) if page.shaken else []
    if found and found[0].code == "TLS005" and not page.own_authority:
        decide = "fetch https://HOST/ca.crt, compare it (docs/page.md), and name it: --ca ca.crt"
        return [
            Unknown("an authority vouches for the page that this machine does not know", decide)
        ]
    return found


async def notes_of(target: Target) -> dict[str, Any]:
    """What a merge needs to know of this side."""
    addresses = await names.resolve(target.host) or ()
    return {
        "outside": True,
        "host": target.host,
        "addresses": [each for each in addresses if not names.is_v6(each)],
    }

"""Takes events to the operator's own programs: signed, at least once, for three days."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from control.asked import by_operator
from control.event import clock_time, signed
from control.outbox import Delivery, Outbox, event_id
from control.webhooks import RefusedError

log = structlog.get_logger()

# A receiver does its work after it has answered; Standard Webhooks advises 15 to 30 s at most.
TIMEOUT_S = 15.0
# Somebody waits for the answer of a test (voicestack/office.py).
TEST_TIMEOUT_S = 2.0
# 5 s, 10 s, 20 s, … so that a receiver that was restarted hears soon, and one that is gone seldom.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 900.0
# Receivers that failed together are not asked again together.
JITTER = 0.2
# Nothing is due: an event wakes us, and this bounds what a lost one costs.
LOOK_S = 2.0
MOST_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said to one try; empty `error`: it has the event."""

    error: str
    wait_s: float = 0.0


class Courier:
    """One loop for each address, so that a slow receiver holds up no other."""

    def __init__(
        self,
        outbox: Outbox,
        urls: Sequence[str],
        secret: str,
        changed: asyncio.Event,
        *,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._outbox, self._urls, self._secret = outbox, tuple(urls), secret
        self._changed, self._clock, self._chance = changed, clock, chance
        self._wakes = {url: asyncio.Event() for url in self._urls}
        self._failing: set[str] = set()
        # A redirect would take a call's data to an address that nobody has set; so would a proxy.
        # Clear text needs no certificates of authorities, which take half a second to read.
        tls = any(url.startswith("https://") for url in urls)
        self._client = httpx.AsyncClient(follow_redirects=False, trust_env=False, verify=tls)

    async def run(self) -> None:
        """Deliver for ever; without addresses, forget in time what was kept for earlier ones."""
        async with self._client, asyncio.TaskGroup() as group:
            for url in self._urls:
                group.create_task(self._serve(url), name=f"courier {_origin(url)}")
            while True:
                self._changed.clear()
                await self.fill()
                await _wait(self._changed, LOOK_S)

    async def fill(self) -> None:
        """Write down what has happened since."""
        try:
            await asyncio.to_thread(self._outbox.fill)
        except Exception as error:  # a full disk; the events wait in the history
            log.warning("events not written", reason=str(error))
        for wake in self._wakes.values():
            wake.set()

    async def drain(self, url: str) -> None:
        """Send what is due at one address."""
        while one := await asyncio.to_thread(self._outbox.due, url):
            answer = await self._send(url, one.event, one.body, TIMEOUT_S)
            self._log(url, one, answer)
            if answer.error:
                pause_s = max(self.pause_s(one.tries), answer.wait_s)
                await asyncio.to_thread(self._outbox.failed, one, answer.error, pause_s)
            else:
                await asyncio.to_thread(self._outbox.delivered, one)

    def pause_s(self, tries: int) -> float:
        """How long after so many tries the next one waits."""
        pause_s: float = min(FIRST_PAUSE_S * 2 ** min(tries, 20), LONGEST_PAUSE_S)
        return pause_s * (1 + JITTER * (2 * self._chance() - 1))

    def routes(self, secret: str) -> list[Route]:
        """What the operator may ask."""
        return [
            Route("/webhooks", by_operator(self._list, secret)),
            Route("/webhooks/replay", by_operator(self._replay, secret), methods=["POST"]),
            Route("/webhooks/test", by_operator(self._test, secret), methods=["POST"]),
        ]

    async def _serve(self, url: str) -> None:
        while True:
            self._wakes[url].clear()
            try:
                await self.drain(url)
                next_at = await asyncio.to_thread(self._outbox.next_at, url)
            except Exception as error:  # a full disk: other addresses, and calls, go on
                log.warning("events not sent", to=_origin(url), reason=repr(error))
                next_at = self._clock() + FIRST_PAUSE_S
            now = self._clock()
            await _wait(self._wakes[url], max(0.1, min(next_at or now + 60, now + 60) - now))

    async def _send(self, url: str, event: str, body: bytes, timeout_s: float) -> Answer:
        """One try; of the answer nothing but its status counts."""
        headers = {"content-type": "application/json", "user-agent": "voicestack"}
        headers |= signed(self._secret, event, self._clock(), body)
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._client.stream(
                    "POST", url, content=body, headers=headers, timeout=timeout_s
                ) as answer,
            ):
                if answer.is_success:
                    return Answer("")
                return Answer(f"HTTP {answer.status_code}", _retry_after_s(answer))
        except (httpx.HTTPError, TimeoutError) as error:
            return Answer(type(error).__name__)

    def _log(self, url: str, one: Delivery, answer: Answer) -> None:
        """Once when an address begins to fail, once when it works again."""
        fields = {"to": _origin(url), "id": one.event}
        if answer.error and url not in self._failing:
            log.warning("event not delivered, will try again", **fields, reason=answer.error)
            self._failing.add(url)
        elif not answer.error and url in self._failing:
            log.info("events are delivered again", **fields)
            self._failing.discard(url)

    async def _list(self, request: Request) -> JSONResponse:
        text = request.query_params.get("limit", "50")
        if not text.isdecimal() or not 1 <= int(text) <= MOST_LISTED:
            raise RefusedError(400, f"limit must be 1 to {MOST_LISTED}")
        every = request.query_params.get("all") == "1"
        rows = await asyncio.to_thread(self._outbox.listed, int(text), every=every)
        counts = await asyncio.to_thread(self._outbox.counts)
        return JSONResponse({"urls": self._urls, "counts": counts, "deliveries": rows})

    async def _replay(self, request: Request) -> JSONResponse:
        event = request.query_params.get("event") or None
        count = await asyncio.to_thread(self._outbox.replay, event)
        if event and not count:
            raise RefusedError(404, "no such event")
        for wake in self._wakes.values():
            wake.set()
        return JSONResponse({"again": count})

    async def _test(self, _request: Request) -> JSONResponse:
        """Send an event that means nothing, now, and tell what became of it."""
        if not self._urls:
            raise RefusedError(409, "no WEBHOOK_URLS are set")
        at = clock_time(self._clock())
        body = f'{{"type": "test", "timestamp": "{at}", "data": {{}}}}'.encode()
        event = event_id()
        tries = [self._send(url, event, body, TEST_TIMEOUT_S) for url in self._urls]
        answers = await asyncio.gather(*tries)
        results: list[dict[str, Any]] = [
            {"url": url, "delivered": not answer.error, "error": answer.error}
            for url, answer in zip(self._urls, answers, strict=True)
        ]
        return JSONResponse({"event": event, "results": results})


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()


def _origin(url: str) -> str:
    """An address without its path, which may be a secret of the receiver's."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _retry_after_s(answer: httpx.Response) -> float:
    """What a receiver that has too much to do asks for, in seconds; dates are not read."""
    text = answer.headers.get("retry-after", "")
    return min(float(text), LONGEST_PAUSE_S) if text.isdecimal() and len(text) < 9 else 0.0

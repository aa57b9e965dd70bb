"""What the worker and its calls tell `control`: JSON, signed with the API key as webhooks are."""

import asyncio
import base64
import contextlib
import datetime
import hashlib
import json
import logging
from typing import Any

import httpx
from livekit import api

from voice_agent.settings import AgentSettings

log = logging.getLogger("voice_agent.control")

# control is on this machine: what takes longer is not there, and no call waits for it.
TIMEOUT_S = 1.0
# Longer than any post may take, too short for a recorded one to be of use.
TOKEN_LIFE = datetime.timedelta(seconds=30)


class Control:
    """The way to control; a failing one is logged once and never harms a call."""

    def __init__(self, settings: AgentSettings) -> None:
        self._key, self._secret = settings.livekit_api_key, settings.livekit_api_secret
        # Without TLS there are no certificates of authorities to load: 0.1 s of each call.
        verify = settings.control_url.startswith("https://")
        url = settings.control_url
        self._client = httpx.AsyncClient(base_url=url, verify=verify, timeout=TIMEOUT_S)
        self._failing = False

    async def post(
        self, path: str, message: dict[str, Any], *, timeout_s: float = TIMEOUT_S
    ) -> dict[str, Any] | None:
        """Send one message; None when it was not taken."""
        body = json.dumps(message).encode()
        headers = {"Authorization": self._sign(body), "Content-Type": "application/json"}
        try:
            answer = await self._client.post(path, content=body, headers=headers, timeout=timeout_s)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            if not self._failing:
                log.warning("control does not answer", extra={"reason": repr(error)})
            self._failing = True
            return None
        self._failing = False
        return dict(answer.json())

    async def close(self) -> None:
        """Leave nothing open."""
        await self._client.aclose()

    def _sign(self, body: bytes) -> str:
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        token = api.AccessToken(self._key, self._secret).with_sha256(digest)
        return token.with_ttl(TOKEN_LIFE).to_jwt()


class Outbox:
    """Messages of one call, in order; control may be away for a moment."""

    TRIES = 20
    PAUSE_S = 0.5

    def __init__(self, control: Control, path: str) -> None:
        self._control, self._path = control, path
        self._queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._run(), name="outbox")

    def put(self, message: dict[str, Any]) -> None:
        """Send it as soon as those before are gone."""
        self._queue.put_nowait(message)

    async def settled(self, timeout_s: float) -> None:
        """Wait until all is sent, for at most this long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._queue.join()

    async def close(self, timeout_s: float) -> None:
        """Send what is left, for at most this long."""
        self._queue.put_nowait(None)
        try:
            async with asyncio.timeout(timeout_s):
                await self._task
        except TimeoutError:
            log.warning("reports of the call were lost", extra={"left": self._queue.qsize()})
        await self._control.close()

    async def _run(self) -> None:
        while (message := await self._queue.get()) is not None:
            for _ in range(self.TRIES):
                if await self._control.post(self._path, message) is not None:
                    break
                await asyncio.sleep(self.PAUSE_S)
            self._queue.task_done()

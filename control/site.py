"""The page and what it asks for: sign in, a token for one call, how the stack is doing."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from livekit import api
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control.door import COOKIE, SESSION_S, Door, RefusedError, check_same_site
from voicestack import ports, token
from voicestack.credentials import Credentials
from voicestack.settings import Settings
from voicestack.setup.page import client_file

log = structlog.get_logger()

PAGE = Path(__file__).with_name("page")
# The browser joins at once; livekit-server renews the token of who is in the room.
JOIN_TTL_S = 120
STATUS_TIMEOUT_S = 5.0
# A password and a few braces.
MOST_BODY_BYTES = 2048
HEADERS = {
    # Nothing from elsewhere is loaded, run or asked; `self` covers wss:// of the same origin.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; media-src 'self' blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), display-capture=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Files change with an update, answers with each question.
    "Cache-Control": "no-cache",
}
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Site:
    """What the page's endpoints know of the stack."""

    door: Door
    agent: str
    business: str
    url: str  # of livekit-server
    key: str
    secret: str = field(repr=False)
    client_file: Path  # LiveKit's client for browsers

    @classmethod
    def of(cls, settings: Settings, held: Credentials) -> "Site":
        """From the settings of the stack."""
        return cls(
            door=Door(held),
            agent=settings.agent_name,
            business=settings.business_name,
            url=f"http://127.0.0.1:{ports.resolve(settings)['livekit_http']}",
            key=held.livekit_api_key,
            secret=held.livekit_api_secret,
            client_file=client_file(settings.voicestack_cache),
        )

    def routes(self) -> list[BaseRoute]:
        """Everything that browsers may ask for."""
        return [
            Route("/", _answering(self.index)),
            Route("/page/livekit-client.js", _answering(self.client)),
            Mount("/page", StaticFiles(directory=PAGE)),
            Route("/api/session", _answering(self.session)),
            Route("/api/session", _answering(self.sign_in), methods=["POST"]),
            Route("/api/session", _answering(self.sign_out), methods=["DELETE"]),
            Route("/api/calls", _answering(self.call), methods=["POST"]),
            Route("/api/status", _answering(self.status)),
        ]

    def middleware(self) -> list[Middleware]:
        """Return the layers around all routes: headers, then the session."""
        session = Middleware(
            SessionMiddleware,
            secret_key=self.door.cookie_key,
            session_cookie=COOKIE,
            max_age=SESSION_S,
            same_site="strict",
            https_only=True,
        )
        return [Middleware(SafeHeaders), session]

    async def index(self, _request: Request) -> Response:
        """Give the page itself: it holds no secret."""
        return FileResponse(PAGE / "index.html")

    async def client(self, _request: Request) -> Response:
        """Give LiveKit's client for browsers, as the set-up fetched it."""
        return FileResponse(self.client_file, media_type="text/javascript")

    async def session(self, request: Request) -> Response:
        """Tell a browser that it is signed in, and to whom it will talk."""
        self.door.visitor(request)
        return JSONResponse({"business": self.business, "agent": self.agent})

    async def sign_in(self, request: Request) -> Response:
        """Set the cookie for the right password."""
        check_same_site(request)
        body = await _json(request)
        self.door.sign_in(request, body.get("password"))
        return JSONResponse({"business": self.business, "agent": self.agent})

    async def sign_out(self, request: Request) -> Response:
        """Take the cookie back."""
        check_same_site(request)
        request.session.clear()
        return JSONResponse({})

    async def call(self, request: Request) -> Response:
        """Mint a token for one new room, into which the agent comes as well."""
        check_same_site(request)
        visitor = self.door.visitor(request)
        self.door.spend_call(visitor)
        name = secrets.token_hex(8)
        join = token.Join(
            room=f"web-{name}",
            identity=f"browser-{name}",
            ttl_s=JOIN_TTL_S,
            grants={"can_publish_data": False},
            room_config=token.dispatch(self.agent),
        )
        minted = token.mint(self.key, self.secret, join, agents={self.agent})
        log.info("call prepared", room=join.room, session=visitor)
        return JSONResponse({"token": minted, "room": join.room})

    async def status(self, request: Request) -> Response:
        """Count the calls that are up, from phones and browsers."""
        self.door.visitor(request)
        try:
            async with (
                asyncio.timeout(STATUS_TIMEOUT_S),
                api.LiveKitAPI(self.url, self.key, self.secret) as livekit,
            ):
                rooms = (await livekit.room.list_rooms(api.ListRoomsRequest())).rooms
        except (api.TwirpError, aiohttp.ClientError, TimeoutError) as error:
            raise RefusedError(503, "no-server") from error
        return JSONResponse({"calls": sum(room.num_participants > 0 for room in rooms)})


class SafeHeaders:
    """Adds HEADERS to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        await self._app(scope, receive, with_headers)


def _answering(endpoint: Endpoint) -> Endpoint:
    """Turn refusals into answers that the page understands."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except RefusedError as error:
            headers = {"Retry-After": str(error.retry_s)} if error.retry_s else None
            return JSONResponse({"error": error.why}, error.status, headers)

    return answer


async def _json(request: Request) -> dict[str, Any]:
    """Read a small JSON object; another type could be sent by a form of another site."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise RefusedError(415, "not-json")
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MOST_BODY_BYTES:
            raise RefusedError(413, "too-large")
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise RefusedError(400, "not-json") from error
    if not isinstance(body, dict):
        raise RefusedError(400, "not-json")
    return body

"""Webhooks of livekit-server: believed only when signed, fresh, new and small."""

import time
from collections import OrderedDict
from collections.abc import Callable

import structlog
from google.protobuf.json_format import ParseError
from livekit.api import TokenVerifier, WebhookReceiver
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.webhook import WebhookEvent
from starlette.requests import Request
from starlette.responses import JSONResponse

log = structlog.get_logger()

CONTENT_TYPE = "application/webhook+json"
# The largest event carries a room with all its metadata; ours have a few hundred bytes.
MOST_BYTES = 256 * 1024
# livekit-server drops an event that waited 30 s (protocol webhook/url_notifier.go); the SDK would
# take one of any age, so that a recorded one could be sent again years later.
WINDOW_S = 300
# More ids than events can come within the window on one machine.
MOST_IDS = 20_000
# Who else is in a room is ours: the agent, recorders.
CALLERS = {ParticipantInfo.Kind.SIP: "phone", ParticipantInfo.Kind.STANDARD: "browser"}


class RefusedError(Exception):
    """An event that is not taken, with the HTTP status that says why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Webhooks:
    """The receiving end; a repeated event counts once. `listeners` hear of each that is taken."""

    def __init__(
        self,
        key: str,
        secret: str,
        *listeners: Callable[[WebhookEvent], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._listeners = (note, *listeners)
        self._receiver = WebhookReceiver(TokenVerifier(key, secret))
        self._clock = clock
        self._seen: OrderedDict[str, float] = OrderedDict()

    async def receive(self, request: Request) -> JSONResponse:
        """The endpoint."""
        try:
            body = await body_of(request, CONTENT_TYPE, MOST_BYTES)
            event = self.check(body, request.headers.get("authorization", ""))
        except RefusedError as error:
            log.warning("webhook refused", status=error.status, reason=str(error))
            return JSONResponse({"error": str(error)}, status_code=error.status)
        fresh = self._is_new(event.id)
        if fresh:
            for listener in self._listeners:
                listener(event)
            self._remember(event.id)
        return JSONResponse({"duplicate": not fresh})

    def check(self, body: bytes, token: str) -> WebhookEvent:
        """Signature over the raw bytes first; nothing of the body is believed before."""
        try:
            text = body.decode("utf-8")
            event = self._receiver.receive(text, token.removeprefix("Bearer "))
        except ParseError as error:
            raise RefusedError(400, "signed, but no event") from error
        except Exception as error:  # the SDK raises plain Exception for a wrong hash
            raise RefusedError(401, "signature does not fit") from error
        if not event.id:
            raise RefusedError(400, "event has no id")
        if abs(self._clock() - event.created_at) > WINDOW_S:
            raise RefusedError(409, f"event is not of the last {WINDOW_S} s; compare the clocks")
        return event

    def _is_new(self, event_id: str) -> bool:
        now = self._clock()
        # Twice the window: an event may be dated into the future by one.
        while self._seen and next(iter(self._seen.values())) < now - 2 * WINDOW_S:
            self._seen.popitem(last=False)
        return event_id not in self._seen

    def _remember(self, event_id: str) -> None:
        self._seen[event_id] = self._clock()
        if len(self._seen) > MOST_IDS:
            self._seen.popitem(last=False)


async def body_of(request: Request, content_type: str, most_bytes: int) -> bytes:
    """The raw body, read no further than allowed."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != content_type:
        raise RefusedError(415, f"content type must be {content_type}")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RefusedError(415, "content encoding is not taken")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise RefusedError(413, f"body is larger than {most_bytes} bytes")
    return bytes(body)


def note(event: WebhookEvent) -> None:
    """Log calls as they come and go; a number never beyond its last two digits."""
    who = event.participant
    by = CALLERS.get(who.kind)
    if by is None:
        return
    caller = who.attributes.get("sip.phoneNumber") or who.name
    digits = [character for character in caller if character.isdigit()]
    fields = {
        "room": event.room.name,
        "call": who.attributes.get("sip.callID", ""),
        "caller": "".join(digits[-2:]),
        "by": by,
    }
    if event.event == "participant_joined":
        log.info("call started", **fields)
    elif event.event == "participant_left":
        lasted_s = max(0, event.created_at - who.joined_at) if who.joined_at else None
        log.info("call ended", **fields, lasted_s=lasted_s)

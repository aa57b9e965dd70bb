"""Webhooks: one effect for each signed, fresh, new and small event; nothing for any other."""

import base64
import gzip
import hashlib
import json
import time
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
import structlog
from livekit import api
from livekit.protocol.webhook import WebhookEvent
from starlette.applications import Starlette
from starlette.routing import Route
from tests.servers import KEY, SECRET

from control.webhooks import CONTENT_TYPE, MOST_BYTES, WINDOW_S, Webhooks

NOW = 1_800_000_000


def event(**changes: Any) -> bytes:
    fields = {
        "event": "participant_joined",
        "id": "EV_1",
        "createdAt": str(NOW),
        "room": {"name": "call-_+15550100_x"},
        "participant": {
            "identity": "sip_x",
            "name": "Phone 0123",
            "kind": "SIP",
            "joinedAt": str(NOW - 7),
            "attributes": {"sip.callID": "SCL_1"},
        },
    }
    return json.dumps(fields | changes).encode()


def sign(body: bytes, **changes: Any) -> str:
    claims = {
        "iss": KEY,
        "exp": int(time.time()) + 300,
        "sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
    } | changes
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, SECRET)


async def post(
    hooks: Webhooks, body: bytes, token: str | None = None, **headers: str
) -> httpx.Response:
    web = Starlette(routes=[Route("/", hooks.receive, methods=["POST"])])
    sent = {"Content-Type": CONTENT_TYPE, "Authorization": sign(body) if token is None else token}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    transport = httpx.ASGITransport(app=web)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.post("/", content=body, headers=sent)


@pytest.fixture
def heard() -> list[WebhookEvent]:
    """What had an effect: the listeners were told of it."""
    return []


@pytest.fixture
def hooks(heard: list[WebhookEvent]) -> Webhooks:
    return Webhooks(KEY, SECRET, heard.append, clock=lambda: NOW)


async def test_a_call_is_logged_with_two_digits(hooks: Webhooks) -> None:
    """Started and ended, by room; the caller's number is not written down."""
    with structlog.testing.capture_logs() as logs:
        assert (await post(hooks, event())).json() == {"duplicate": False}
        await post(hooks, event(event="participant_left", id="EV_2"))
    started, ended = logs
    assert started == {
        "event": "call started",
        "log_level": "info",
        "room": "call-_+15550100_x",
        "call": "SCL_1",
        "caller": "23",
        "by": "phone",
    }
    assert (ended["event"], ended["lasted_s"]) == ("call ended", 7)
    assert "0123" not in json.dumps(logs)


async def test_a_call_from_a_browser_is_logged(hooks: Webhooks) -> None:
    """It has no number, and no name that we log."""
    browser = {"identity": "browser-x", "name": "Ada", "kind": "STANDARD"}
    with structlog.testing.capture_logs() as logs:
        await post(hooks, event(participant=browser))
    (started,) = logs
    assert (started["event"], started["by"], started["caller"]) == ("call started", "browser", "")
    assert "Ada" not in json.dumps(logs)


async def test_others_than_callers_are_not_logged(hooks: Webhooks) -> None:
    """The agent joins every room."""
    with structlog.testing.capture_logs() as logs:
        answer = await post(hooks, event(participant={"identity": "agent-1", "kind": "AGENT"}))
    assert (answer.status_code, logs) == (200, [])


async def test_a_repeated_event_counts_once(hooks: Webhooks, heard: list[WebhookEvent]) -> None:
    """livekit-server sends again what was not answered in time; a replay is signed as well."""
    with structlog.testing.capture_logs() as logs:
        first, second = await post(hooks, event()), await post(hooks, event())
    again = await post(hooks, event(event="participant_left"))  # the same id, another body
    assert [each.json()["duplicate"] for each in (first, second, again)] == [False, True, True]
    assert [each.id for each in heard] == ["EV_1"]
    assert len(logs) == 1


async def test_a_listener_that_fails_does_not_count_as_heard(heard: list[WebhookEvent]) -> None:
    """The server sends the event again, and then it has its effect."""
    faults = [RuntimeError("disk full")]

    def listener(each: WebhookEvent) -> None:
        if faults:
            raise faults.pop()
        heard.append(each)

    hooks = Webhooks(KEY, SECRET, listener, clock=lambda: NOW)
    with pytest.raises(RuntimeError, match="disk full"):  # uvicorn makes a 500 of it
        await post(hooks, event())
    assert (await post(hooks, event())).json() == {"duplicate": False}
    assert [each.id for each in heard] == ["EV_1"]


@pytest.mark.parametrize("age_s", [WINDOW_S + 1, -WINDOW_S - 1, 10**9, NOW])
async def test_old_and_future_events_are_refused(
    hooks: Webhooks, heard: list[WebhookEvent], age_s: int
) -> None:
    """A recording of yesterday's events does nothing."""
    answer = await post(hooks, event(createdAt=str(NOW - age_s)))
    assert (answer.status_code, heard) == (409, [])


@pytest.mark.parametrize("age_s", [WINDOW_S, -WINDOW_S])
async def test_the_window_includes_its_ends(
    hooks: Webhooks, heard: list[WebhookEvent], age_s: int
) -> None:
    answer = await post(hooks, event(createdAt=str(NOW - age_s)))
    assert (answer.status_code, len(heard)) == (200, 1)


@pytest.mark.parametrize("created", ["0", str(2**63 - 1), "-1"])
async def test_absurd_times_are_refused(
    hooks: Webhooks, heard: list[WebhookEvent], created: str
) -> None:
    """Neither crash nor effect."""
    assert (await post(hooks, event(createdAt=created))).status_code == 409
    assert heard == []


BODY = event()
HASH = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
OTHER_HASH = base64.b64encode(hashlib.sha256(b"other").digest()).decode()


@pytest.mark.parametrize(
    "token",
    [
        "",
        "Bearer ",
        "x.y.z",
        sign(BODY, sha256=OTHER_HASH),
        sign(BODY, sha256=None),
        sign(BODY, sha256="%%%"),
        sign(BODY, iss="other"),
        sign(BODY, iss=None),
        sign(BODY, exp=None),
        sign(BODY, exp=int(time.time()) - 3600),
        sign(BODY, exp="soon"),
        sign(BODY, nbf=int(time.time()) + 3600),
        jwt.encode({"iss": KEY, "exp": 2**33, "sha256": "x"}, None, algorithm="none"),
        jwt.encode({"iss": KEY, "exp": 2**33, "sha256": "x"}, SECRET * 2, algorithm="HS512"),
        jwt.encode({"iss": KEY, "exp": 2**33, "sha256": HASH}, SECRET, algorithm="HS384"),
        jwt.encode({"iss": KEY, "exp": 2**33, "sha256": HASH}, None, algorithm="none"),
        jwt.encode({"iss": KEY, "exp": 2**33, "sha256": "x"}, SECRET[::-1]),
        sign(BODY)[:-4] + "AAAA",
        sign(BODY) + ".x",
        api.AccessToken(KEY, SECRET).with_ttl(timedelta(minutes=1)).to_jwt(),  # a join token
    ],
)
async def test_what_is_not_signed_is_refused(
    hooks: Webhooks, heard: list[WebhookEvent], token: str
) -> None:
    """401, no effect, and the log does not repeat the token."""
    with structlog.testing.capture_logs() as logs:
        assert (await post(hooks, BODY, token)).status_code == 401
    assert heard == []
    assert [each["event"] for each in logs] == ["webhook refused"]
    assert "eyJ" not in json.dumps(logs)


async def test_the_hash_is_over_the_raw_bytes(hooks: Webhooks, heard: list[WebhookEvent]) -> None:
    """The same JSON written otherwise is another body."""
    token = sign(BODY)
    again = json.dumps(json.loads(BODY), separators=(",", ":")).encode()
    assert (await post(hooks, again, token)).status_code == 401
    assert heard == []


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (BODY, {"Content_Type": "application/json"}, 415),
        (BODY, {"Content_Type": ""}, 415),
        (gzip.compress(BODY), {"Content_Encoding": "gzip"}, 415),
        (b" " * (MOST_BYTES + 1), {}, 413),
        (b"\xff\xfe", {}, 401),
        (b"", {}, 400),
        (b"[]", {}, 400),
        (b"{", {}, 400),
        (b'{"event": 3}', {}, 400),
        (event(id=""), {}, 400),
    ],
)
async def test_odd_bodies_are_refused(
    hooks: Webhooks, heard: list[WebhookEvent], body: bytes, headers: dict[str, str], status: int
) -> None:
    """Even signed ones."""
    assert (await post(hooks, body, **headers)).status_code == status
    assert heard == []
    # Whatever was refused has used up no id.
    assert (await post(hooks, BODY)).json() == {"duplicate": False}


async def test_events_of_a_newer_server_are_taken(hooks: Webhooks) -> None:
    """Unknown kinds and fields do not stop the rest."""
    assert (await post(hooks, event(event="new_thing", brandNew={"a": 1}))).status_code == 200


async def test_the_sdk_signs_what_we_take(hooks: Webhooks) -> None:
    """With the token that livekit-server makes: AccessToken with a hash."""
    hashed = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    token = api.AccessToken(KEY, SECRET).with_sha256(hashed).to_jwt()
    assert (await post(hooks, BODY, token)).status_code == 200

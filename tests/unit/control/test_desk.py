"""What workers and calls tell control: believed when signed, forgotten when the call is over."""

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from livekit import api
from livekit.protocol.models import DisconnectReason
from livekit.protocol.webhook import WebhookEvent
from starlette.applications import Starlette
from tests.servers import KEY, SECRET
from tests.unit.control.test_workers import beat

from control.desk import Desk
from control.history import History, Keep
from control.messages import MOST_BYTES, Post
from control.workers import Workers

ROOM = "call-_+15550100_x"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    history = History(tmp_path / "calls.sqlite", Keep())
    yield Desk(Post(KEY, SECRET), Workers(), history, secret="operator")
    history.close()


def sign(body: bytes, secret: str = SECRET) -> str:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    token = api.AccessToken(KEY, secret).with_sha256(digest)
    # Tables of tests are signed when they are collected, and may run an hour later.
    return token.with_ttl(timedelta(hours=6)).to_jwt()


async def send(
    desk: Desk, method: str, path: str, body: bytes = b"", token: str = ""
) -> httpx.Response:
    transport = httpx.ASGITransport(app=Starlette(routes=desk.routes()))
    headers = {"Authorization": token, "Content-Type": "application/json"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path, content=body, headers=headers)


async def report(desk: Desk, kind: str, job: str = "AJ_1", **more: Any) -> dict[str, Any]:
    fields = {"kind": kind, "at": 1.0, "room": ROOM, "job": job, "agent": "sales", "version": "1"}
    body = json.dumps(fields | more).encode()
    answer = await send(desk, "POST", "/agent/report", body, sign(body))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


BEAT = beat().model_dump_json().encode()


@pytest.mark.parametrize(
    ("body", "token", "status"),
    [
        (BEAT, sign(BEAT), 200),
        (BEAT, "", 401),
        (BEAT, "x.y.z", 401),
        (BEAT, sign(b"other"), 401),
        (BEAT, sign(BEAT, SECRET[::-1]), 401),
        (BEAT, api.AccessToken(KEY, SECRET).to_jwt(), 401),  # a token without a hash
        (b"{}", sign(b"{}"), 400),
        (b"[", sign(b"["), 400),
        (b" " * (MOST_BYTES + 1), "", 413),
    ],
)
async def test_only_what_is_signed_is_taken(
    desk: Desk, body: bytes, token: str, status: int
) -> None:
    """Whoever has no key adds no worker."""
    assert (await send(desk, "POST", "/agent/beat", body, token)).status_code == status
    assert len(desk.workers.listed()) == (status == 200)


async def test_a_second_agent_learns_what_was_said(desk: Desk) -> None:
    """Only after the first has been heard: until then nobody misses it."""
    assert await report(desk, "joined") == {"replaces": False, "said": []}
    assert (await report(desk, "joined", "AJ_2"))["replaces"] is False
    await report(desk, "answered", "AJ_2")
    await report(desk, "said", "AJ_2", role="user", text="My boat leaks.")
    again = await report(desk, "joined", "AJ_3")
    assert again == {"replaces": True, "said": [["user", "My boat leaks."]]}


async def test_what_was_said_goes_with_the_call(desk: Desk) -> None:
    """A room of the same name later is another call."""
    await report(desk, "answered")
    await report(desk, "said", role="user", text="secret")
    desk.on_event(WebhookEvent(event="room_finished", room=api.Room(name=ROOM)))
    assert await report(desk, "joined", "AJ_2") == {"replaces": False, "said": []}


@pytest.mark.parametrize("path", ["/workers", "/calls", f"/calls/{ROOM}", "/talks"])
@pytest.mark.parametrize("token", ["", "Bearer wrong", "operator", "Basic operator"])
async def test_history_is_the_operators(desk: Desk, path: str, token: str) -> None:
    """Callers' numbers and words: not without the secret."""
    assert (await send(desk, "GET", path, token=token)).status_code == 401


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1001", ""])
async def test_odd_limits(desk: Desk, limit: str) -> None:
    answer = await send(desk, "GET", f"/calls?limit={limit}", token="Bearer operator")
    assert answer.status_code == 400


@pytest.mark.parametrize("query", ["outcome=nice", "before=x", "outcome=pending"])
async def test_odd_questions(desk: Desk, query: str) -> None:
    answer = await send(desk, "GET", f"/calls?{query}", token="Bearer operator")
    assert answer.status_code == 400


async def test_a_call_is_filed_once_when_its_phone_is_gone(desk: Desk) -> None:
    """With what was said last; a call that nobody answered is not."""
    filed: list[tuple[str, Any]] = []

    class Clerk:
        def take(self, room: str, said: Any) -> None:
            filed.append((room, said))

    def left(event: str) -> None:
        who = api.ParticipantInfo(identity="sip_1", kind=api.ParticipantInfo.Kind.SIP)
        desk.on_event(WebhookEvent(event=event, room=api.Room(name=ROOM), participant=who))

    desk.clerk = Clerk()  # type: ignore[assignment]
    await report(desk, "joined")
    left("participant_left")
    assert filed == []
    await report(desk, "answered")
    left("participant_left")
    await report(desk, "said", role="user", text="My boat leaks.")
    left("room_finished")
    ((room, said),) = filed
    assert (room, said()) == (ROOM, [("user", "My boat leaks.")])


async def test_events_make_the_history(desk: Desk) -> None:
    """Joined, left with a reason; line from the room's name, as attributes hide it."""
    who = api.ParticipantInfo(
        identity="sip_1", kind=api.ParticipantInfo.Kind.SIP, attributes={"sip.callID": "SCL_1"}
    )
    desk.on_event(
        WebhookEvent(event="participant_joined", room=api.Room(name=ROOM), participant=who)
    )
    who.disconnect_reason = DisconnectReason.USER_REJECTED
    desk.on_event(WebhookEvent(event="participant_left", room=api.Room(name=ROOM), participant=who))
    while not desk.history._todo.empty():  # what `run` would write
        desk.history._write(*desk.history._todo.get_nowait())
        desk.history._todo.task_done()
    (call,) = (await send(desk, "GET", "/calls", token="Bearer operator")).json()["calls"]
    assert (call["line"], call["call"], call["result"]) == ("+15550100", "SCL_1", "declined")
    missing = await send(desk, "GET", "/calls/none", token="Bearer operator")
    assert missing.status_code == 404

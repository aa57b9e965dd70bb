"""Events of calls arrive at the operator's programs: signed, at least once, once by their key."""

import asyncio
import base64
import contextlib
import json
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from starlette.applications import Starlette
from tests.unit.control.receiver import Receiver, listening

from control.courier import LONGEST_PAUSE_S, Courier
from control.event import signed
from control.history import DAY_S, History, Keep
from control.outbox import GIVE_UP_S, SETTLE_S, TRIGGERS, Outbox

ROOT = Path(__file__).parents[3]
SECRET = "a-secret-of-the-tests-long-enough-0123456789"
START = 1_800_000_000.0


class Clock:
    now = START

    def __call__(self) -> float:
        return self.now


class Control:
    """The parts of control that tell of calls, on one file, as one process has them."""

    def __init__(
        self, folder: Path, urls: Sequence[str], clock: Clock, keep: Keep, **more: Any
    ) -> None:
        self.history = History(folder / "calls.sqlite", keep, clock)
        self.outbox = Outbox(self.history.file, urls, clock=clock, **more)
        self.history.follow(TRIGGERS)
        self.courier = Courier(
            self.outbox, urls, SECRET, self.history.changed, clock=clock, chance=lambda: 0.5
        )
        self.urls = urls

    async def deliver(self) -> None:
        """One round of what `run` does for ever."""
        self.written()
        await self.courier.fill()
        for url in self.urls:
            await self.courier.drain(url)

    def written(self) -> None:
        while not self.history._todo.empty():
            self.history._write(*self.history._todo.get_nowait())
            self.history._todo.task_done()

    def close(self) -> None:
        self.history.close()
        self.outbox.close()


@contextlib.asynccontextmanager
async def control(
    folder: Path, urls: Sequence[str], clock: Clock, keep: Keep | None = None, **more: Any
) -> AsyncIterator[Control]:
    made = Control(folder, urls, clock, keep or Keep(), **more)
    async with made.courier._client:
        yield made
    made.close()


def call(history: History, room: str) -> None:
    """A whole call."""
    history.joined(room, agent="sales", version="v1")  # an outbound call: the agent comes first
    history.started(room, call=f"SCL_{room}", line="+15550100", caller="+15550123", direction="x")
    history.answered(room, START)
    history.turn(room, START, {"total_ms": 700})
    history.said(room, START, "user", "My boat leaks.")
    history.ended(room)


def verified_by_docs() -> Any:
    """The function that docs/webhooks.md gives receivers."""
    text = (ROOT / "docs/webhooks.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    space: dict[str, Any] = {}
    exec(code, space)
    return space["verified"]


async def test_a_receiver_that_was_down_hears_all_once(tmp_path: Path) -> None:
    """Five minutes without it, control restarted meanwhile; then every event, once by its key."""
    clock, receiver = Clock(), Receiver()
    async with listening(receiver):
        pass  # its port is known; nobody listens there now
    with structlog.testing.capture_logs() as logs:
        async with control(tmp_path, [receiver.url], clock) as first:
            for room in ("a", "b"):
                call(first.history, room)
            for _ in range(15):
                clock.now += 10
                await first.deliver()
        async with control(tmp_path, [receiver.url], clock) as second:
            call(second.history, "c")
            for _ in range(15):
                clock.now += 10
                await second.deliver()
            assert receiver.got == []
            async with listening(receiver):
                while clock.now < START + 600 + LONGEST_PAUSE_S:
                    clock.now += 10
                    await second.deliver()
            assert second.outbox.counts() == {"delivered": 9}
    kinds = [
        (json.loads(body)["type"], json.loads(body)["data"]["room"]) for _, body in receiver.got
    ]
    told = ("call.started", "call.answered", "call.ended")
    assert sorted(kinds) == sorted((kind, room) for room in "abc" for kind in told)
    assert len(set(receiver.ids)) == 9
    phrases = [each["event"] for each in logs]
    # Said once by each control, and once that it works again.
    assert phrases.count("event not delivered, will try again") == 2
    assert phrases.count("events are delivered again") == 1
    assert "0123" not in json.dumps(logs)


async def test_an_answer_that_was_lost(tmp_path: Path) -> None:
    """The same event again: same key, same body; the receiver knows it."""
    clock = Clock()
    async with (
        listening(Receiver(status=500)) as receiver,
        control(tmp_path, [receiver.url], clock) as sender,
    ):
        sender.history.started("a", call="1", line="", caller="+15550123", direction="x")
        await sender.deliver()
        assert len(receiver.got) == 1
        receiver.status = 204
        sender.history.answered("a", START)  # what happens meanwhile changes no event
        clock.now += 6
        await sender.deliver()
    (first, body), (second, again), _ = receiver.got
    assert (first["webhook-id"], body) == (second["webhook-id"], again)
    assert first["webhook-timestamp"] != second["webhook-timestamp"]
    assert json.loads(body)["data"]["caller"] == "+......23"


async def test_the_signature_is_that_of_the_standard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documented function takes what arrives, and nothing that was changed or is old."""
    verified, clock = verified_by_docs(), Clock()
    secret = whsec(SECRET)
    monkeypatch.setattr("time.time", lambda: clock.now)
    async with (
        listening(Receiver()) as receiver,
        control(tmp_path, [receiver.url], clock) as sender,
    ):
        sender.history.started("a", call="1", line="", caller="", direction="x")
        await sender.deliver()
    ((headers, body),) = receiver.got
    assert verified(secret, headers, body)
    assert not verified(secret, headers, body.replace(b"call", b"Call"))
    assert not verified(whsec("another"), headers, body)
    assert not verified(secret, headers | {"webhook-id": "evt_0"}, body)
    clock.now += 301
    assert not verified(secret, headers, body)


def whsec(secret: str) -> str:
    return "whsec_" + base64.b64encode(secret.encode()).decode()


def test_the_known_signature() -> None:
    """The example that the libraries of Standard Webhooks test themselves with."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").decode("latin-1")
    body = b'{"test": 2432232314}'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("control.event.key_of", lambda text: text.encode("latin-1"))
        headers = signed(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330.9, body)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_what_call_ended_carries(tmp_path: Path) -> None:
    """Sent when the last words have had time to come; words only if the setting says so."""
    clock, bodies = Clock(), []
    for transcripts in (False, True):
        async with listening(Receiver()) as receiver:
            folder = tmp_path / str(transcripts)
            keep = Keep(numbers="full", transcripts=True)
            async with control(
                folder, [receiver.url], clock, keep, transcripts=transcripts
            ) as sender:
                call(sender.history, "a")
                await sender.deliver()
                assert len(receiver.got) == 2
                sender.history.said("a", START, "assistant", "Bring it in.")
                clock.now += SETTLE_S
                await sender.deliver()
                bodies.append(json.loads(receiver.got[2][1])["data"])
    without, with_words = bodies
    assert (without["result"], without["caller"]) == ("answered", "+15550123")
    assert without["turns"] == [{"total_ms": 700}]
    assert "transcript" not in without
    assert [each["text"] for each in with_words["transcript"]] == ["My boat leaks.", "Bring it in."]


@pytest.mark.parametrize("status", [301, 307, 400, 404, 410, 429, 500, 503])
async def test_only_2xx_counts(tmp_path: Path, status: int) -> None:
    """A redirect is a failure, and leads nowhere."""
    clock = Clock()
    async with listening(Receiver()) as other, listening(Receiver(status=status)) as receiver:
        receiver.headers = {"location": other.url}
        async with control(tmp_path, [receiver.url], clock) as sender:
            sender.history.started("a", call="1", line="", caller="", direction="x")
            await sender.deliver()
            (row,) = sender.outbox.listed(9, every=False)
    assert (row["state"], row["error"], row["tries"]) == ("pending", f"HTTP {status}", 1)
    assert len(receiver.got) == 1
    assert other.got == []


async def test_a_receiver_that_is_busy_says_when(tmp_path: Path) -> None:
    """Retry-After in seconds is heeded, up to our own longest pause; nonsense is not."""
    clock = Clock()
    for text, wait_s in (("120", 120), ("9" * 8, LONGEST_PAUSE_S), ("soon", 5), ("-1", 5)):
        async with (
            listening(Receiver(status=503, headers={"retry-after": text})) as receiver,
            control(tmp_path / text, [receiver.url], clock) as sender,
        ):
            sender.history.started("a", call="1", line="", caller="", direction="x")
            await sender.deliver()
            assert sender.outbox.next_at(receiver.url) == clock.now + wait_s


async def test_one_address_holds_up_no_other(tmp_path: Path) -> None:
    """The one that is down is tried again alone."""
    clock, down = Clock(), Receiver()
    async with listening(down):
        pass
    async with listening(Receiver()) as up, control(tmp_path, [down.url, up.url], clock) as sender:
        call(sender.history, "a")
        clock.now += SETTLE_S
        await sender.deliver()
        assert sender.outbox.counts() == {"delivered": 3, "pending": 3}
        async with listening(down):
            clock.now += LONGEST_PAUSE_S
            await sender.deliver()
    assert down.ids == up.ids


async def test_it_gives_up_after_three_days_and_can_be_asked_again(tmp_path: Path) -> None:
    """Given up, listed, sent again when the operator says so; one that arrived only by its name."""
    clock, receiver = Clock(), Receiver(status=500)
    async with listening(receiver), control(tmp_path, [receiver.url], clock) as sender:
        sender.history.started("a", call="1", line="", caller="", direction="x")
        await sender.deliver()
        clock.now += GIVE_UP_S + 1
        await sender.deliver()
        assert sender.outbox.counts() == {"given up": 1}
        receiver.status = 200
        assert sender.outbox.replay() == 1
        await sender.deliver()
        assert sender.outbox.counts() == {"delivered": 1}
        assert sender.outbox.replay() == 0
        assert sender.outbox.replay(receiver.ids[0]) == 1
        await sender.deliver()
    assert len(set(receiver.ids)) == 1


async def test_a_full_queue_drops_the_oldest(tmp_path: Path) -> None:
    """Bounded, and said."""
    clock = Clock()
    async with control(tmp_path, ["http://127.0.0.1:9/"], clock, most_pending=4) as sender:
        with structlog.testing.capture_logs() as logs:
            for room in "abcdef":
                sender.history.started(room, call="1", line="", caller="", direction="x")
            sender.written()
            sender.outbox.fill()
        rows = {each["room"]: each["state"] for each in sender.outbox.listed(9, every=True)}
    assert rows == {**dict.fromkeys("ab", "dropped"), **dict.fromkeys("cdef", "pending")}
    assert ("events dropped, the queue is full", 2) in [(e["event"], e.get("count")) for e in logs]


async def test_events_are_forgotten_in_time(tmp_path: Path) -> None:
    """After TRANSCRIPT_DAYS at the latest: they may carry what was said."""
    clock = Clock()
    async with control(tmp_path, ["http://127.0.0.1:9/"], clock, keep_days=2) as sender:
        call(sender.history, "a")
        sender.written()
        clock.now += SETTLE_S
        sender.outbox.fill()
        assert sender.outbox.counts() == {"pending": 3}
        clock.now += 2 * DAY_S + 1
        sender.outbox.fill()
        assert sender.outbox.counts() == {}


async def test_without_addresses_old_events_are_forgotten_too(tmp_path: Path) -> None:
    """They may carry what was said; the setting that made them is gone."""
    clock = Clock()
    async with control(tmp_path, ["http://127.0.0.1:9/"], clock) as sender:
        call(sender.history, "a")
        sender.written()
        sender.outbox.fill()
    clock.now += 8 * DAY_S
    later = Control(tmp_path, [], clock, Keep())
    task = asyncio.create_task(later.courier.run())
    async with asyncio.timeout(30):
        while await asyncio.to_thread(later.outbox.counts):
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    later.close()


async def test_addresses_that_are_no_longer_set_are_not_told(tmp_path: Path) -> None:
    """Their events wait for nobody."""
    clock = Clock()
    async with control(tmp_path, ["http://127.0.0.1:9/"], clock) as sender:
        call(sender.history, "a")
        sender.written()
        sender.outbox.fill()
    async with control(tmp_path, ["http://127.0.0.1:10/"], clock) as sender:
        sender.outbox.fill()
        assert sender.outbox.counts() == {"dropped": 2}


async def test_it_runs_by_itself(tmp_path: Path) -> None:
    """From a change of the history to the receiver, without anybody asking."""
    async with listening(Receiver()) as receiver:
        made = Control(tmp_path, [receiver.url], Clock(), Keep())
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(made.courier.run()), group.create_task(made.history.run()),
            ]  # fmt: skip
            made.history.started("a", call="1", line="", caller="", direction="x")
            await receiver.came.wait()
            for task in tasks:
                task.cancel()
        made.close()
    assert len(receiver.got) == 1


async def test_what_the_operator_asks(tmp_path: Path) -> None:
    """List, replay, test: not without the secret, and odd questions are refused."""
    async with (
        listening(Receiver()) as receiver,
        control(tmp_path, [receiver.url], Clock()) as sender,
    ):
        app = Starlette(routes=sender.courier.routes("operator"))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for method, path in (("GET", ""), ("POST", "/replay"), ("POST", "/test")):
                assert (await client.request(method, f"/webhooks{path}")).status_code == 401
            client.headers["authorization"] = "Bearer operator"
            tested = (await client.post("/webhooks/test")).json()
            listed = (await client.get("/webhooks")).json()
            odd = [
                (await client.get("/webhooks?limit=0")).status_code,
                (await client.post("/webhooks/replay?event=evt_0")).status_code,
            ]
    assert tested["results"] == [{"url": receiver.url, "delivered": True, "error": ""}]
    assert [json.loads(body)["type"] for _, body in receiver.got] == ["test"]
    assert listed == {"urls": [receiver.url], "counts": {}, "deliveries": []}
    assert odd == [400, 404]

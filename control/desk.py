"""Where events of livekit-server, of workers and of calls meet: history, guard, memory of calls."""

from collections import OrderedDict
from dataclasses import dataclass, field

import structlog
from livekit.protocol.models import DisconnectReason, ParticipantInfo
from livekit.protocol.webhook import WebhookEvent
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from control.asked import Act, answering, by_operator
from control.clerk import Clerk
from control.guard import Guard
from control.history import History
from control.messages import Post, Report
from control.outcome import ALL
from control.webhooks import RefusedError
from control.workers import Workers
from voicestack.lines.wanted import called_number
from voicestack.outbound.transfer import ROLE

log = structlog.get_logger()

# What a new agent needs to know of a call that another has lost.
MOST_SENTENCES = 30
# Far more than can be up at a time.
MOST_CALLS = 500
MOST_LISTED = 1000
REASONS = {
    DisconnectReason.USER_UNAVAILABLE: "no answer",
    DisconnectReason.USER_REJECTED: "declined",
    DisconnectReason.SIP_TRUNK_FAILURE: "carrier error",
}


@dataclass(slots=True)
class Talk:
    """A call that is up: which jobs it had, and what was said last. Never on disk."""

    agent: str = ""
    jobs: list[str] = field(default_factory=list)
    said: list[tuple[str, str]] = field(default_factory=list)
    last_turn: dict[str, int] = field(default_factory=dict)
    filed: bool = False


class Desk:
    """Takes what happens, and tells of it."""

    def __init__(self, post: Post, workers: Workers, history: History, *, secret: str) -> None:
        self.workers, self.history = workers, history
        self.guard: Guard | None = None  # made when there is a loop
        self.clerk: Clerk | None = None
        self._post, self._secret = post, secret
        self._talks: OrderedDict[str, Talk] = OrderedDict()
        self._warned: set[str] = set()

    def routes(self) -> list[Route]:
        """What control serves beyond lines and webhooks."""

        def asked(act: Act) -> Act:
            return by_operator(act, self._secret)

        return [
            Route("/agent/beat", answering(self._beat), methods=["POST"]),
            Route("/agent/report", answering(self._report), methods=["POST"]),
            Route("/workers", asked(self._workers)),
            Route("/calls", asked(self._calls)),
            Route("/calls/{room}", asked(self._call)),
            Route("/talks", asked(self._talks_now)),
        ]

    def on_event(self, event: WebhookEvent) -> None:
        """Note calls as they come and go."""
        who, room = event.participant, event.room.name
        if ROLE in who.attributes:  # somebody whom the agent asks to take the call
            return
        if who.kind == ParticipantInfo.Kind.SIP and event.event == "participant_joined":
            of = who.attributes
            self.history.started(
                room,
                call=of.get("sip.callID", ""),
                line=of.get("voicestack.line") or called_number(room),
                caller=of.get("sip.phoneNumber", ""),
                direction=of.get("voicestack.direction", "inbound"),
            )
        elif who.kind == ParticipantInfo.Kind.SIP and event.event == "participant_left":
            if reason := REASONS.get(who.disconnect_reason):
                self.history.result(room, reason)
            self._ended(room)
        elif event.event == "room_finished":
            self._ended(room)
            self._talks.pop(room, None)

    def _ended(self, room: str) -> None:
        """Once the phone is on the hook; the agent may need a while to leave the room."""
        self.history.ended(room)
        talk = self._talks.get(room)
        if self.clerk is not None and talk is not None and talk.jobs and not talk.filed:
            talk.filed = True
            self.clerk.take(room, lambda: talk.said)

    async def _beat(self, request: Request) -> JSONResponse:
        for room in self.workers.take(await self._post.beat(request)):
            if self.guard is not None:
                self.guard.wake(room)
        rivals = self.workers.rivals()
        for text in set(rivals) - self._warned:
            log.warning("workers compete for calls", reason=text)
        self._warned = set(rivals)
        return JSONResponse({"attention": rivals})

    async def _report(self, request: Request) -> JSONResponse:
        report = await self._post.report(request)
        talk = self._talk(report.room)
        earlier = {"replaces": False, "said": list(talk.said)}
        if report.kind == "joined":
            earlier["replaces"] = bool(talk.jobs) and report.job not in talk.jobs
        self._note(talk, report)
        return JSONResponse(earlier)

    def _note(self, talk: Talk, report: Report) -> None:
        room, at = report.room, report.at
        if report.kind == "joined":
            talk.agent = report.agent
            self.history.joined(room, agent=report.agent, version=report.version)
        elif report.kind == "answered":
            # From now on a caller is there to be lost; a job that died before greets as if first.
            talk.jobs.append(report.job)
            self.history.answered(room, at)
        elif report.kind == "result":
            self.history.picked_up(room, report.reason)
        elif report.kind == "turn":
            talk.last_turn = report.latencies
            self.history.turn(room, at, report.latencies)
        elif report.kind == "said":
            talk.said = [*talk.said, (report.role, report.text)][-MOST_SENTENCES:]
            self.history.said(room, at, report.role, report.text)
        elif report.kind == "tool":
            self.history.tool(
                room, at, report.tool, ok=report.ok, ms=report.ms, arguments=report.arguments
            )

    def _talk(self, room: str) -> Talk:
        talk = self._talks.setdefault(room, Talk())
        while len(self._talks) > MOST_CALLS:
            self._talks.popitem(last=False)
        return talk

    async def _workers(self, _request: Request) -> JSONResponse:
        listed = {"workers": self.workers.listed(), "attention": self.workers.rivals()}
        return JSONResponse(listed)

    async def _calls(self, request: Request) -> JSONResponse:
        asked = request.query_params
        limit, before = asked.get("limit", "20"), asked.get("before", "inf")
        if not limit.isdecimal() or not 1 <= int(limit) <= MOST_LISTED:
            raise RefusedError(400, f"limit must be 1 to {MOST_LISTED}")
        if asked.get("outcome", "") not in ("", *ALL):
            raise RefusedError(400, f"outcome must be one of: {', '.join(ALL)}")
        await self.history.settled()
        calls = self.history.calls(
            int(limit),
            outcome=asked.get("outcome", ""),
            before=_time(before),
            words=asked.get("words") == "1",
        )
        return JSONResponse({"calls": calls})

    async def _call(self, request: Request) -> JSONResponse:
        await self.history.settled()
        call = self.history.call(request.path_params["room"])
        if call is None:
            raise RefusedError(404, "no such call")
        return JSONResponse(call)

    async def _talks_now(self, _request: Request) -> JSONResponse:
        now = {
            room: {"agent": talk.agent, "last_turn": talk.last_turn}
            for room, talk in self._talks.items()
        }
        return JSONResponse({"talks": now})


def _time(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise RefusedError(400, "before must be a time, in seconds since 1970") from error

"""Requests from the far end: calls that come in, and everything inside a call."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from voicestack.phone.call import Call, Timing
from voicestack.phone.errors import MalformedError
from voicestack.phone.wire import sip
from voicestack.phone.wire.sip import Address, Dialog, SipRequest, SipResponse

if TYPE_CHECKING:
    from voicestack.phone.phone import Phone

# Answers kept for repeats of their requests: far more than can arrive in the 32 s of Timer J.
_KEPT_ANSWERS = 512


class IncomingCall:
    """Somebody calls: ring, accept or refuse; do nothing and nobody answers."""

    def __init__(self, doorbell: Doorbell, invite: SipRequest, source: Address) -> None:
        self.invite = invite
        self.caller = sip.parse_address(invite.get_header("from") or "").uri.user or ""
        self.cancelled = asyncio.Event()
        self.final: SipResponse | None = None
        self._doorbell = doorbell
        self._source = source
        self._started_at = time.monotonic()
        phone = doorbell.phone
        self._dialog = Dialog.incoming(invite, user=phone.user, contact=phone.address)

    def ring(self) -> None:
        """Send 180."""
        self._respond(180, "Ringing")

    def refuse(self, status: int = 486, reason: str = "Busy Here") -> None:
        """Say no."""
        self._respond(status, reason)

    def cancel(self) -> None:
        """The caller gave up."""
        if self.final is None:
            self.cancelled.set()
            self._respond(487, "Request Terminated")

    def accept(self) -> Call:
        """Answer the call."""
        phone = self._doorbell.phone
        media = phone.open_media()
        now = time.monotonic()
        call = Call(phone.line(), self._dialog, media, Timing(self._started_at, answered_at=now))
        try:
            answer = call.accept_offer(self.invite.text)
        except MalformedError:
            media.close()
            self._respond(488, "Not Acceptable Here")
            raise
        phone.calls.append(call)
        self._respond(200, "OK", answer)
        return call

    def _respond(self, status: int, reason: str, body: str = "") -> None:
        if self.final is not None:
            return
        response = sip.respond(
            self.invite, status, reason, to_tag=self._dialog.local_tag, source=self._source
        )
        response.set_header("Contact", self._dialog.contact_header)
        if body:
            response.text = body
            response.set_header("Content-Type", "application/sdp")
        if status >= 200:
            self.final = response
            self._doorbell.answer_invite(self.invite, response, self._source)
        else:
            self._doorbell.answer(self.invite, response, self._source)


class Doorbell:
    """Server transactions of one phone (RFC 3261 17.2)."""

    def __init__(self, phone: Phone, *, takes_calls: bool) -> None:
        self.phone = phone
        self.rings: asyncio.Queue[IncomingCall] = asyncio.Queue()
        self._takes_calls = takes_calls
        self._tag = sip.token()
        self._answers: OrderedDict[tuple[str, str, str], SipResponse] = OrderedDict()
        self._pending: dict[tuple[str, int], IncomingCall] = {}
        self._unacknowledged: dict[tuple[str, int], asyncio.TimerHandle] = {}

    def close(self) -> None:
        """Repeat nothing any more."""
        for timer in self._unacknowledged.values():
            timer.cancel()
        self._unacknowledged.clear()

    def request(self, request: SipRequest, source: Address, call: Call | None) -> None:
        """Take one request; a repeat gets the same answer again."""
        key = _key(request)
        if request.method == "ACK":
            self._acknowledged(request)
        elif (answer := self._answers.get(key)) is not None:
            self.phone.tell(answer, source)
        elif request.method == "CANCEL":
            self._cancel(request, source)
        elif call is not None and not call.ended.is_set():
            self._inside(request, source, call)
        else:
            self._outside(request, source)

    def answer(self, request: SipRequest, response: SipResponse, source: Address) -> None:
        """Send a response and keep it for repeats."""
        self._answers[_key(request)] = response
        while len(self._answers) > _KEPT_ANSWERS:
            self._answers.popitem(last=False)
        self.phone.tell(response, source)

    def answer_invite(self, invite: SipRequest, response: SipResponse, source: Address) -> None:
        """Send the final response to an INVITE until its ACK (RFC 3261 13.3.1.4, 17.2.1)."""
        self.answer(invite, response, source)
        self._pending.pop(_dialog_key(invite), None)
        self._repeat(_dialog_key(invite), response, source, self.phone.timers.t1_s, 0.0)

    def _repeat(
        self,
        key: tuple[str, int],
        response: SipResponse,
        source: Address,
        wait_s: float,
        waited_s: float,
    ) -> None:
        if waited_s:
            self.phone.tell(response, source)
        timers = self.phone.timers
        if waited_s + wait_s > timers.give_up_s:
            self._unacknowledged.pop(key, None)
            return
        self._unacknowledged[key] = asyncio.get_running_loop().call_later(
            wait_s,
            self._repeat,
            key,
            response,
            source,
            min(2 * wait_s, timers.t2_s),
            waited_s + wait_s,
        )

    def _acknowledged(self, ack: SipRequest) -> None:
        timer = self._unacknowledged.pop(_dialog_key(ack), None)
        if timer is not None:
            timer.cancel()

    def _reply(
        self,
        request: SipRequest,
        source: Address,
        status: int,
        reason: str,
        *,
        call: Call | None = None,
        body: str = "",
    ) -> None:
        to_tag = call.dialog.local_tag if call else self._tag
        response = sip.respond(request, status, reason, to_tag=to_tag, source=source)
        response.set_header("Allow", sip.ALLOW)
        if call is not None:
            response.set_header("Contact", call.dialog.contact_header)
        if body:
            response.text = body
            response.set_header("Content-Type", "application/sdp")
        send = self.answer_invite if request.method == "INVITE" and status >= 200 else self.answer
        send(request, response, source)

    def _cancel(self, request: SipRequest, source: Address) -> None:
        pending = self._pending.get(_dialog_key(request))
        if pending is None:
            self._reply(request, source, 481, "Call/Transaction Does Not Exist")
            return
        self._reply(request, source, 200, "OK")
        pending.cancel()

    def _inside(self, request: SipRequest, source: Address, call: Call) -> None:
        seq, _ = sip.cseq(request)
        if seq <= call.dialog.remote_cseq:  # RFC 3261 12.2.2: out of order
            self._reply(request, source, 500, "Server Internal Error", call=call)
            return
        call.dialog.remote_cseq = seq
        if request.method == "BYE":
            self._reply(request, source, 200, "OK", call=call)
            reason = request.get_header("reason")
            call.finish("the far end hung up" + (f" ({reason})" if reason else ""))
        elif request.method in ("INVITE", "UPDATE"):
            self._renegotiate(request, source, call)
        elif request.method in ("OPTIONS", "INFO"):
            self._reply(request, source, 200, "OK", call=call)
        elif request.method == "REFER":
            self._refer(request, source, call)
        else:
            self._reply(request, source, 405, "Method Not Allowed", call=call)

    def _refer(self, request: SipRequest, source: Address, call: Call) -> None:
        """We are to call somebody else (RFC 3515): say what came of it, and leave it to tests."""
        call.referred_to = request.get_header("refer-to") or ""
        outcome = self.phone.faults.refer
        if outcome == 0:
            return
        if outcome >= 600:
            self._reply(request, source, outcome, "Decline", call=call)
            return
        self._reply(request, source, 202, "Accepted", call=call)
        notify = call.dialog.request("NOTIFY")
        notify.set_header("Event", "refer")
        notify.set_header("Subscription-State", "terminated;reason=noresource")
        notify.set_header("Content-Type", "message/sipfrag;version=2.0")
        notify.text = f"SIP/2.0 {outcome} {'OK' if outcome == 200 else 'Busy Here'}\r\n"
        self.phone.begin(notify, call.dialog.next_hop())

    def _renegotiate(self, request: SipRequest, source: Address, call: Call) -> None:
        """A new offer, an UPDATE that only refreshes, or an INVITE that asks us to offer."""
        call.dialog.retarget(request)
        try:
            if request.body:
                body = call.accept_offer(request.text)
            else:
                body = call.describe() if request.method == "INVITE" else ""
        except MalformedError:
            self._reply(request, source, 488, "Not Acceptable Here", call=call)
            return
        self._reply(request, source, 200, "OK", call=call, body=body)

    def _outside(self, request: SipRequest, source: Address) -> None:
        if sip.tag(request, "to") or request.method in ("BYE", "UPDATE", "INFO"):
            self._reply(request, source, 481, "Call/Transaction Does Not Exist")
        elif request.method == "OPTIONS":
            self._reply(request, source, 200, "OK")
        elif request.method != "INVITE":
            self._reply(request, source, 405, "Method Not Allowed")
        elif not self._takes_calls:
            self._reply(request, source, 480, "Temporarily Unavailable")
        else:
            self._reply(request, source, 100, "Trying")
            call = IncomingCall(self, request, source)
            self._pending[_dialog_key(request)] = call
            self.rings.put_nowait(call)


def _key(request: SipRequest) -> tuple[str, str, str]:
    """What a repeated request is recognised by (RFC 3261 17.2.3)."""
    via = sip.parse_via(request.headers.get("via")[0])
    return sip.branch(request), f"{via.host}:{via.port}", request.method


def _dialog_key(request: SipRequest) -> tuple[str, int]:
    """What ties ACK and CANCEL to their INVITE: call and sequence number."""
    return request.call_id or "", sip.cseq(request)[0]

"""Placing one call: INVITE, its answers, challenges, and giving up in good order."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from voicestack.phone.call import Timing
from voicestack.phone.errors import CallRefused, NoAnswer
from voicestack.phone.transaction import Arrived, ClientTransaction
from voicestack.phone.wire import sip
from voicestack.phone.wire.sip import Address, Dialog, SipRequest, SipResponse

if TYPE_CHECKING:
    from voicestack.phone.phone import Phone

# RFC 3261 9.1: after CANCEL a 487 follows at once; whoever is still silent then will not be waited
# for.
CANCEL_WAIT_S = 2.0
_OWN_HEADERS = {
    *("via", "max-forwards", "from", "to", "call-id", "cseq", "contact", "user-agent", "route"),
    *("content-type", "content-length", "authorization", "proxy-authorization"),
}
_HINTS = {
    401: "give user and password of this line",
    403: "the line does not take calls from this number or address; see sip/lines.yaml",
    404: "no line has this number; see sip/lines.yaml",
    407: "give user and password of this line",
    486: "all agents are busy, or no agent came in time; see the log of the agent",
    488: "the far end takes none of the codecs offered",
    503: "the SIP server cannot take calls now; see its log",
}


def extra_headers(request: SipRequest) -> list[str]:
    """The headers that a caller added to a request."""
    return [name for name, _ in request.headers.items() if name.lower() not in _OWN_HEADERS]


class Attempt:
    """One try to reach a number."""

    def __init__(
        self, phone: Phone, dialog: Dialog, server: Address, headers: Mapping[str, str]
    ) -> None:
        self._phone = phone
        self._dialog = dialog
        self._server = server
        self._headers = headers

    async def until_answered(self, offer: str, ring_timeout_s: float) -> SipResponse:
        """The 2xx;

        CallRefused or NoAnswer otherwise. Whatever stops us early, the far end stops ringing.
        """
        invite = self._invite(offer)
        self._begin(invite)
        self.timing = Timing(self.transaction.started_at)
        try:
            async with asyncio.timeout(ring_timeout_s):
                return await self._answer(invite)
        except TimeoutError:
            self._abandon()
            ended = await self._ends()
            raise self._no_answer(ring_timeout_s, known=ended) from None
        except asyncio.CancelledError:
            self._abandon()
            raise

    def _invite(self, offer: str) -> SipRequest:
        invite = self._dialog.request("INVITE")
        invite.set_header("Allow", sip.ALLOW)
        invite.set_header("Content-Type", "application/sdp")
        for name, value in self._headers.items():
            invite.set_header(name, value)
        invite.text = offer
        return invite

    def _begin(self, invite: SipRequest) -> None:
        self.transaction: ClientTransaction = self._phone.begin(invite, self._server)

    async def _answer(self, invite: SipRequest) -> SipResponse:
        while True:
            arrived = await self._final()
            response = arrived.response
            if response.status_code < 300:
                return response
            again = self._phone.authorized(self._dialog, invite, response)
            if again is None:
                raise CallRefused(
                    response.status_code,
                    response.reason_phrase,
                    hint=_HINTS.get(response.status_code, ""),
                )
            invite = again
            self._begin(invite)

    async def _final(self) -> Arrived:
        while True:
            arrived = await self.transaction.next()
            self.timing.note(arrived.response.status_code, arrived.at)
            if arrived.response.status_code >= 200:
                return arrived

    def _abandon(self) -> None:
        """Withdraw the INVITE as soon as that is allowed;

        take back an answer that comes all the same.
        """
        transaction = self.transaction
        transaction.on_answer = self._take_back
        if self.timing.trying_at is None and self.timing.ringing_at is None:
            transaction.stop()
        cancel = sip.cancel(transaction.request)
        transaction.when_cancellable(lambda: self._withdraw(cancel))

    def _withdraw(self, cancel: SipRequest) -> None:
        self._phone.begin(cancel, self._server)

    def _take_back(self, response: SipResponse) -> None:
        """A 200 crossed our CANCEL (RFC 3261 9.1, 13.2.2.4): acknowledge it and hang up."""
        self._dialog.established(response)
        seq, _ = sip.cseq(response)
        hop = self._dialog.next_hop()
        self._phone.tell(self._dialog.request("ACK", seq=seq), hop)
        self._phone.begin(self._dialog.request("BYE"), hop)

    async def _ends(self) -> bool:
        """Wait a little for 487, so that nothing rings on when the phone is switched off."""
        try:
            async with asyncio.timeout(CANCEL_WAIT_S):
                await self.transaction.final_response()
        except (TimeoutError, NoAnswer):
            return False
        return True

    def _no_answer(self, ring_timeout_s: float, *, known: bool) -> NoAnswer:
        if self.timing.ringing_at is not None and known:
            seen = f"rang for {ring_timeout_s:g} s and nobody answered"
            hint = "no agent joined the call; see the log of the agent"
        elif self.timing.ringing_at is not None:
            # livekit-sip 1.8.0 inbound.go: a call that no rule wants rings once and is dropped.
            seen = f"rang for {ring_timeout_s:g} s, then the server had forgotten the call"
            hint = "no line has this number, or it takes no calls from here; see sip/lines.yaml"
        elif self.timing.trying_at is not None:
            seen = f"the server took the call but neither rang nor answered in {ring_timeout_s:g} s"
            hint = "no rule or no agent for this number; see the logs of sip and agent"
        else:
            times = self.transaction.times_sent
            seen = f"no response to INVITE in {ring_timeout_s:g} s (sent {times} times)"
            hint = "check that the server runs and that its SIP port (UDP) can be reached"
        return NoAnswer(seen, hint=hint)

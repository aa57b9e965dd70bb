"""Client transactions: a request, its retransmissions and the answers to it (RFC 3261 17.1)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from voicestack.phone.errors import NoAnswer
from voicestack.phone.wire import sip
from voicestack.phone.wire.sip import Address, SipRequest, SipResponse


@dataclass(frozen=True, slots=True)
class Timers:
    """RFC 3261 17.1.1.1:

    T1 is an estimate of the round trip, T2 the longest wait between repeats.
    """

    t1_s: float = 0.5
    t2_s: float = 4.0

    @property
    def give_up_s(self) -> float:
        """Timers B, F and H."""
        return 64 * self.t1_s


@dataclass(frozen=True, slots=True)
class Arrived:
    """A response and when it arrived."""

    response: SipResponse
    at: float


def _ignore(_: SipResponse) -> None:
    """Nobody wants to know."""


class ClientTransaction:
    """Sends one request until it is answered; iterate with `next()`."""

    def __init__(
        self,
        request: SipRequest,
        destination: Address,
        send: Callable[[SipRequest], None],
        timers: Timers,
    ) -> None:
        self.request = request
        self.destination = destination
        self.final: SipResponse | None = None
        self.times_sent = 0
        self.on_repeat: Callable[[SipResponse], None] = _ignore
        self.on_answer: Callable[[SipResponse], None] = _ignore  # the first 2xx, at once
        self._send = send
        self._timers = timers
        self._interval_s = timers.t1_s
        self._provisional = False
        self._refused = False
        self._abandon: Callable[[], None] | None = None
        self._responses: asyncio.Queue[Arrived | None] = asyncio.Queue()
        self._timer: asyncio.TimerHandle | None = None
        self.started_at = time.monotonic()
        self._transmit()

    @property
    def key(self) -> tuple[str, str]:
        """What an answer is matched by (RFC 3261 17.1.3)."""
        return sip.branch(self.request), self.request.method

    async def next(self) -> Arrived:
        """The next response; NoAnswer when the far end stays silent for 64*T1."""
        arrived = await self._responses.get()
        if arrived is None and self._refused:
            raise NoAnswer(
                f"nothing listens on UDP {self.destination[0]}:{self.destination[1]}",
                hint="start the stack with `make up`, or name another --server",
            )
        if arrived is None:
            raise NoAnswer(
                f"no response to {self.request.method} in {self._timers.give_up_s:g} s "
                f"(sent {self.times_sent} times)",
                hint="check that the server runs and that its SIP port (UDP) can be reached",
            )
        return arrived

    async def final_response(self) -> Arrived:
        """Skip provisional responses."""
        while (arrived := await self.next()).response.status_code < 200:
            pass
        return arrived

    def receive(self, response: SipResponse, at: float) -> None:
        """Take a response that matches this transaction."""
        if self.final is not None:
            self._acknowledge(response)
            self.on_repeat(response)
            return
        if response.status_code >= 200:
            self.final = response
            self.stop()
            self._acknowledge(response)
            if response.status_code < 300:
                self.on_answer(response)
        else:
            self._slow_down()
        self._responses.put_nowait(Arrived(response, at))

    def unreachable(self) -> None:
        """The network says that nobody is there (RFC 3261 18.4); an answer so far counts more."""
        if self.final is None and not self._provisional and not self._refused:
            self._refused = True
            self.stop()
            self._responses.put_nowait(None)

    def when_cancellable(self, cancel: Callable[[], None]) -> None:
        """Call `cancel` once the far end has shown that it knows the request (RFC 3261 9.1)."""
        if self.final is not None:
            return
        if self._provisional:
            cancel()
        else:
            self._abandon = cancel

    def stop(self) -> None:
        """Send no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _slow_down(self) -> None:
        self._provisional = True
        if self.request.method == "INVITE":
            self.stop()
        else:
            self._interval_s = self._timers.t2_s
        if self._abandon is not None:
            cancel, self._abandon = self._abandon, None
            cancel()

    def _acknowledge(self, response: SipResponse) -> None:
        if self.request.method == "INVITE" and response.status_code >= 300:
            self._send(sip.ack_refusal(self.request, response))

    def _transmit(self) -> None:
        waited_s = time.monotonic() - self.started_at
        if waited_s >= self._timers.give_up_s:
            self._timer = None
            self._responses.put_nowait(None)
            return
        self._send(self.request)
        self.times_sent += 1
        # The last wait is cut short so that the whole takes 64*T1.
        wait_s = min(self._interval_s, self._timers.give_up_s - waited_s)
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._transmit)
        longest_s = self._timers.give_up_s if self.request.method == "INVITE" else self._timers.t2_s
        self._interval_s = min(2 * self._interval_s, longest_s)

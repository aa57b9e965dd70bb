"""A telephone on UDP: dials, is called, and survives whatever arrives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Self

from voicestack.phone import dialing
from voicestack.phone.call import Call, Line
from voicestack.phone.errors import CallFailedError, MalformedError, PhoneError
from voicestack.phone.faults import Faults
from voicestack.phone.incoming import Doorbell, IncomingCall
from voicestack.phone.media import MediaStream
from voicestack.phone.transaction import Arrived, ClientTransaction, Timers
from voicestack.phone.udp import UdpSocket
from voicestack.phone.wire import digest, g711, sdp, sip
from voicestack.phone.wire.digest import Credentials
from voicestack.phone.wire.sip import Address, Dialog, SipRequest, SipResponse

log = logging.getLogger(__name__)

RING_TIMEOUT_S = 30.0
DEFAULT_USER = "+15105550123"
# One answer to a challenge, and one more when only its nonce was stale.
_MAX_TRIES = 3


class Phone:
    """One subscriber with one SIP socket;

    `async with` opens and closes it, hanging up what is left.
    """

    def __init__(
        self,
        local_ip: str = "127.0.0.1",
        user: str = DEFAULT_USER,
        credentials: Credentials | None = None,
        *,
        port: int = 0,
        laws: tuple[g711.Law, ...] = (g711.PCMU, g711.PCMA),
        takes_calls: bool = False,
        faults: Faults | None = None,
        timers: Timers | None = None,
    ) -> None:
        self.user = user
        self.credentials = credentials
        self.faults = faults or Faults()
        self.timers = timers or Timers()
        self.calls: list[Call] = []
        self.malformed_datagrams = 0
        self._local_ip = local_ip
        self._port = port
        self._formats = self.faults.formats or sdp.formats_of(laws, sdp.DTMF_PAYLOAD_TYPE)
        self._laws = laws
        self._takes_calls = takes_calls
        self._transactions: dict[tuple[str, str], ClientTransaction] = {}
        self._tasks: set[asyncio.Task[object]] = set()

    async def __aenter__(self) -> Self:
        self._socket = UdpSocket(self._local_ip, self._port, self._datagram, self._unreachable)
        self._doorbell = Doorbell(self, takes_calls=self._takes_calls)
        # The first thread costs 100 ms on a busy machine: not in the middle of a call.
        await asyncio.to_thread(bool)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await asyncio.gather(*(call.hang_up() for call in self.calls), return_exceptions=True)
        finally:
            self._close()

    def _close(self) -> None:
        self._doorbell.close()
        for call in self.calls:
            call.finish("the phone was switched off")
        for transaction in self._transactions.values():
            transaction.stop()
        for task in self._tasks:
            task.cancel()
        self._socket.close()

    @property
    def address(self) -> Address:
        """Where this phone takes SIP."""
        return self._socket.address

    async def dial(
        self,
        number: str,
        *,
        server: Address,
        headers: Mapping[str, str] | None = None,
        ring_timeout_s: float = RING_TIMEOUT_S,
    ) -> Call:
        """Call `number`; CallRefused, NoAnswer or CallFailedError if it does not come to a talk."""
        media = MediaStream(self._local_ip, self.faults)
        dialog = Dialog.outgoing(user=self.user, number=number, server=server, contact=self.address)
        try:
            attempt = dialing.Attempt(self, dialog, server, headers or {})
            response = await attempt.until_answered(self.offer(media), ring_timeout_s)
            dialog.established(response)
            call = Call(self.line(), dialog, media, attempt.timing)
            attempt.transaction.on_repeat = call.acknowledge
            self.calls.append(call)
            call.acknowledge(response)
            await self._connect(call, response)
        except BaseException:
            media.close()
            raise
        return call

    async def _connect(self, call: Call, response: SipResponse) -> None:
        try:
            call.media.start(sdp.read(response.text))
        except MalformedError as error:
            await call.hang_up()
            raise CallFailedError(
                f"the call was answered without usable audio: {error}",
                hint="the far end must answer with G.711 (PCMU or PCMA) in its SDP",
            ) from error

    async def options(self, server: Address, *, user: str | None = None) -> Arrived:
        """Ping a SIP server with OPTIONS."""
        dialog = Dialog.outgoing(
            user=self.user, number=user or self.user, server=server, contact=self.address
        )
        return await self.begin(dialog.request("OPTIONS"), server).final_response()

    async def incoming_call(self) -> IncomingCall:
        """Wait for somebody to call (`takes_calls=True`)."""
        return await self._doorbell.rings.get()

    def line(self) -> Line:
        """What this phone lends to a call."""
        return Line(self._ask, self.tell, self._formats, self._advertised_ip)

    def offer(self, media: MediaStream) -> str:
        """The session description of an INVITE."""
        return sdp.build(self._advertised_ip, media.address[1], formats=self._formats)

    def open_media(self) -> MediaStream:
        """A port for the audio of a call that comes in."""
        return MediaStream(self._local_ip, self.faults)

    def begin(self, request: SipRequest, to: Address) -> ClientTransaction:
        """Send a request and keep at it until it is answered."""

        def send(message: SipRequest) -> None:
            self.tell(message, to)

        transaction = ClientTransaction(request, to, send, self.timers)
        self._transactions[transaction.key] = transaction
        return transaction

    def tell(self, message: SipRequest | SipResponse, to: Address) -> None:
        """Send a message once."""
        if self.faults.no_ack and isinstance(message, SipRequest) and message.method == "ACK":
            return
        self._socket.send(self.faults.mangle_sip(bytes(message)), to)

    def spawn(self, work: Coroutine[object, object, object], name: str) -> None:
        """Run something that ends with the phone."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("phone task failed", extra={"task": task.get_name(), "error": str(error)})

    @property
    def _advertised_ip(self) -> str:
        return self.faults.sdp_address or self.address[0]

    async def _ask(self, dialog: Dialog, request: SipRequest) -> Arrived:
        """Send a request of a dialog and wait for its final answer; prove who we are if asked."""
        for _ in range(_MAX_TRIES):
            arrived = await self.begin(request, dialog.next_hop()).final_response()
            again = self.authorized(dialog, request, arrived.response)
            if again is None:
                break
            request = again
        return arrived

    def authorized(
        self, dialog: Dialog, request: SipRequest, response: SipResponse
    ) -> SipRequest | None:
        """The same request with proof of identity;

        None if none was asked for or none can be given.
        """
        if self.credentials is None or not digest.is_challenge(response):
            return None
        tried = request.get_header("authorization") or request.get_header("proxy-authorization")
        header = digest.answer(self.credentials, response, request)
        if header is None or (tried and not digest.is_stale(response)):
            return None
        again = dialog.request(request.method)
        for name in ("Content-Type", *dialing.extra_headers(request)):
            if (value := request.get_header(name)) is not None:
                again.set_header(name, value)
        again.body = request.body
        again.set_header(*header)
        return again

    def _datagram(self, data: bytes, source: Address, at: float) -> None:
        if not data.strip(b"\r\n\0 "):
            return  # keep-alive of NATs (RFC 5626 3.5.1)
        try:
            message = sip.parse(data)
            if isinstance(message, SipResponse):
                self._response(message, at)
            else:
                self._request(message, source)
        except (PhoneError, ValueError, IndexError) as error:
            self.malformed_datagrams += 1
            log.debug("datagram dropped", extra={"source": source[0], "error": str(error)})

    def _unreachable(self, destination: Address) -> None:
        for transaction in self._transactions.values():
            if transaction.destination == destination:
                transaction.unreachable()

    def _response(self, response: SipResponse, at: float) -> None:
        key = sip.branch(response), sip.cseq(response)[1]
        transaction = self._transactions.get(key)
        if transaction is not None:
            transaction.receive(response, at)

    def _request(self, request: SipRequest, source: Address) -> None:
        call = next((call for call in self.calls if call.dialog.owns(request)), None)
        self._doorbell.request(request, source, call)

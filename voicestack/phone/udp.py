"""A UDP socket that says when the kernel received each datagram."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import time
from collections.abc import Callable

from voicestack.phone.errors import PhoneError
from voicestack.phone.wire.sip import Address

log = logging.getLogger(__name__)

OnDatagram = Callable[[bytes, Address, float], None]
OnUnreachable = Callable[[Address], None]

# Linux asm-generic/socket.h. Python's socket module has no name for it. On a machine whose cores
# are all busy the event loop wakes late; the kernel's stamp keeps latencies honest.
_SO_TIMESTAMPNS = 35
# Linux linux/in.h, bits/socket.h: an unconnected socket hears "port unreachable", and of whom.
_IP_RECVERR = 11
_MSG_ERRQUEUE = 0x2000
_TIMESPEC = struct.Struct("@qq")
_MAX_DATAGRAM_BYTES = 65535
# More in one go would starve the sender's 20 ms clock.
_BATCH = 64
_RECEIVE_BUFFER_BYTES = 1 << 20
_SAME_MOMENT_S = 0.0001
_CLOCK_TRIES = 10
# A datagram does not wait longer in the kernel than this unless the process was stopped.
_OLDEST_S = 5.0


class UdpSocket:
    """Unconnected, because livekit-sip may answer from another address than the one dialled."""

    def __init__(
        self,
        local_ip: str,
        port: int,
        on_datagram: OnDatagram,
        on_unreachable: OnUnreachable | None = None,
    ) -> None:
        self._on_datagram = on_datagram
        self._on_unreachable = on_unreachable
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        if on_unreachable is not None:
            self._socket.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        self.send_errors = 0
        try:
            self._socket.bind((local_ip, port))
        except OSError as error:
            self._socket.close()
            raise PhoneError(
                f"cannot bind UDP {local_ip}:{port}: {error.strerror}",
                hint="name an address of this machine, see `ip -4 address`",
            ) from error
        self.address: Address = self._socket.getsockname()
        asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def send(self, data: bytes, to: Address) -> None:
        """Send now; what the kernel refuses is counted, as a network would lose it."""
        try:
            try:
                self._socket.sendto(data, to)
            except ConnectionRefusedError:  # about an earlier datagram; this one is still to go
                self._socket.sendto(data, to)
        except OSError as error:
            self.send_errors += 1
            if self.send_errors == 1:
                log.warning("datagram not sent", extra={"to": to[0], "error": str(error)})

    def _unreachable(self) -> None:
        """Empty the error queue."""
        while self._on_unreachable is not None and self._socket.fileno() >= 0:
            try:
                _, _, _, destination = self._socket.recvmsg(0, 512, _MSG_ERRQUEUE)
            except OSError:
                return
            self._on_unreachable(destination)

    def close(self) -> None:
        """Stop listening and free the port."""
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    def _readable(self) -> None:
        for _ in range(_BATCH):
            try:
                data, ancillary, _, source = self._socket.recvmsg(_MAX_DATAGRAM_BYTES, 64)
            except OSError:
                # Nothing more to read, or an error whose report a send may have taken already: the
                # queue is looked at in any case, because what stays there wakes us forever.
                self._unreachable()
                return
            try:
                self._on_datagram(data, source, _received_at(ancillary))
            except Exception:  # the edge: no datagram may stop the phone
                log.exception("datagram not handled")
            if self._socket.fileno() < 0:
                return


def _received_at(ancillary: list[tuple[int, int, bytes]]) -> float:
    """The kernel's wall-clock stamp on the monotonic clock."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            now, wall = _clocks()
            age = wall - (seconds + nanoseconds / 1e9)
            # A step of the wall clock between stamp and now gives nonsense: then take now.
            return now - age if 0 <= age < _OLDEST_S else now
    return time.monotonic()


def _clocks() -> tuple[float, float]:
    """Monotonic and wall clock of one moment: read again if we lost the core in between."""
    for _ in range(_CLOCK_TRIES):
        before, wall, after = time.monotonic(), time.time(), time.monotonic()
        if after - before < _SAME_MOMENT_S:
            break
    return (before + after) / 2, wall

"""When a datagram arrived, and that nobody was there."""

import asyncio
import socket
import time

import pytest

from voicestack.phone import PhoneError
from voicestack.phone.udp import UdpSocket

Datagram = tuple[bytes, tuple[str, int], float]


async def test_arrival_is_the_kernel_s_time_not_ours() -> None:
    """A datagram that came while the event loop was busy is not dated to when we looked."""
    arrived: asyncio.Queue[Datagram] = asyncio.Queue()
    receiver = UdpSocket("127.0.0.1", 0, lambda *datagram: arrived.put_nowait(datagram))
    # The first socket of a machine that asks for stamps turns them on in a work queue (Linux,
    # net/core/dev.c, net_enable_timestamp): what comes before that is dated when it is read.
    await asyncio.sleep(0.2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        before = time.monotonic()
        sender.sendto(b"hello", receiver.address)
        after = time.monotonic()
        time.sleep(0.2)  # noqa: ASYNC251 - the busy loop is what is tested
        data, source, at = await arrived.get()
        assert (data, source) == (b"hello", ("127.0.0.1", sender.getsockname()[1]))
    assert before - 0.002 <= at <= after + 0.002
    receiver.close()


async def test_what_nobody_listens_to_is_reported_and_harms_no_other() -> None:
    """The report names the destination; the next datagram to somebody else goes out."""
    unreachable: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
    arrived: asyncio.Queue[Datagram] = asyncio.Queue()
    receiver = UdpSocket("127.0.0.1", 0, lambda *datagram: arrived.put_nowait(datagram))
    gone = UdpSocket("127.0.0.1", 0, lambda *_: None)
    gone.close()
    sender = UdpSocket("127.0.0.1", 0, lambda *_: None, unreachable.put_nowait)
    sender.send(b"lost", gone.address)
    sender.send(b"kept", receiver.address)
    assert (await arrived.get())[0] == b"kept"
    assert await unreachable.get() == gone.address
    assert sender.send_errors == 0
    for each in (sender, receiver):
        each.close()
    sender.close()  # twice does no harm


async def test_an_address_of_another_machine() -> None:
    """The error says which, and how to find our own."""
    with pytest.raises(PhoneError, match=r"cannot bind UDP 192\.0\.2\.1:0") as caught:
        UdpSocket("192.0.2.1", 0, lambda *_: None)
    assert "ip -4 address" in caught.value.hint


async def test_a_handler_that_fails_loses_one_datagram() -> None:
    """The next one is handled."""
    seen: asyncio.Queue[bytes] = asyncio.Queue()

    def handle(data: bytes, *_: object) -> None:
        if data == b"bad":
            raise RuntimeError("no")
        seen.put_nowait(data)

    receiver = UdpSocket("127.0.0.1", 0, handle)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"bad", receiver.address)
        sender.sendto(b"good", receiver.address)
    assert await seen.get() == b"good"
    receiver.close()

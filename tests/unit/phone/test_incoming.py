"""Calls that this phone takes."""

import asyncio

import pytest

from voicestack.phone import CallRefused, MalformedError, NoAnswer, Phone
from voicestack.phone.wire import g711

from .conftest import FAST
from .far_end import FarEnd, eventually


@pytest.fixture
async def callee():
    async with Phone(user="callee", takes_calls=True, timers=FAST) as callee:
        yield callee


async def test_a_call_between_two_phones(phone: Phone, callee: Phone) -> None:
    """Ring, answer, keys both ways, hang up: each side sees what the other did."""
    dialling = asyncio.create_task(phone.dial("callee", server=callee.address))
    incoming = await callee.incoming_call()
    assert incoming.caller == phone.user
    incoming.ring()
    theirs = incoming.accept()
    ours = await dialling
    assert ours.timing.ringing_ms is not None
    await asyncio.gather(ours.send_dtmf("12"), theirs.send_dtmf("#"))
    await eventually(lambda: theirs.dtmf_received == "12" and ours.dtmf_received == "#")
    await theirs.hang_up()
    await ours.ended.wait()
    assert ours.end_reason == "the far end hung up"


async def test_busy(phone: Phone, callee: Phone) -> None:
    """486 is acknowledged, so it is not repeated."""
    dialling = asyncio.create_task(phone.dial("callee", server=callee.address))
    (await callee.incoming_call()).refuse()
    with pytest.raises(CallRefused, match="486 Busy Here"):
        await dialling
    await eventually(lambda: not callee._doorbell._unacknowledged)


async def test_no_answer(phone: Phone, callee: Phone) -> None:
    """Whoever does not pick up sees the caller give up."""
    dialling = asyncio.create_task(phone.dial("callee", server=callee.address, ring_timeout_s=0.05))
    incoming = await callee.incoming_call()
    incoming.ring()
    with pytest.raises(NoAnswer):
        await dialling
    assert incoming.cancelled.is_set()


async def test_a_phone_that_takes_no_calls(phone: Phone) -> None:
    """480, unless told otherwise."""
    async with Phone(timers=FAST) as other:
        with pytest.raises(CallRefused, match="480"):
            await phone.dial("x", server=other.address)


async def test_no_common_codec(callee: Phone, phone: Phone) -> None:
    """An offer that we cannot serve is refused with 488."""
    phone._formats = ((18, "G729/8000"),)
    dialling = asyncio.create_task(phone.dial("callee", server=callee.address))
    with pytest.raises(MalformedError, match="offers no"):
        (await callee.incoming_call()).accept()
    with pytest.raises(CallRefused, match="488"):
        await dialling


async def test_the_caller_s_first_law_is_used(callee: Phone) -> None:
    """A caller that prefers A-law is answered with A-law."""
    async with Phone(laws=(g711.PCMA,), timers=FAST) as caller:
        dialling = asyncio.create_task(caller.dial("callee", server=callee.address))
        theirs = (await callee.incoming_call()).accept()
        ours = await dialling
        assert ours.media.remote.law is theirs.media.remote.law is g711.PCMA


async def test_a_repeated_invite_rings_once(callee: Phone) -> None:
    """A copy of an INVITE gets the same answer and makes no second call."""
    async with FarEnd() as far_end:
        host, port = callee.address
        invite = (
            f"INVITE sip:callee@{host}:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 203.0.113.5:9;branch=z9hG4bKrep;rport\r\n"
            f"From: <sip:a@b>;tag=1\r\nTo: <sip:callee@c>\r\nCall-ID: rep\r\n"
            f"CSeq: 1 INVITE\r\nContact: <sip:a@127.0.0.1:{far_end.address[1]}>\r\n\r\n"
            f"{far_end.sdp()}"
        )
        for _ in range(3):
            far_end.send(invite, callee.address)
            trying = await far_end.expect("100")
        assert f"received=127.0.0.1;rport={far_end.address[1]}" in sorted_via(trying["Via"])
        assert callee._doorbell.rings.qsize() == 1


def sorted_via(via: str) -> str:
    """Parameters may come in any order."""
    return ";".join(sorted(via.split(";")[1:]))

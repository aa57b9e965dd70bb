"""Calls that this phone places."""

import asyncio
import hashlib
import re

import pytest

from voicestack.phone import (
    Call,
    CallFailedError,
    CallRefused,
    Credentials,
    Faults,
    NoAnswer,
    Phone,
    dialing,
)

from .conftest import FAST
from .far_end import FarEnd, Message, audio_address, eventually

NUMBER = "+15550100"


def dial(phone: Phone, far_end: FarEnd, **more):
    return asyncio.create_task(phone.dial(NUMBER, server=far_end.address, **more))


async def test_a_call_is_set_up(phone: Phone, far_end: FarEnd) -> None:
    """INVITE, 100, 180, 200, ACK; the times of each are kept."""
    dialling = dial(phone, far_end, headers={"X-Test": "yes"})
    invite = await far_end.expect("INVITE")
    assert invite.start == f"INVITE sip:{NUMBER}@127.0.0.1:{far_end.address[1]} SIP/2.0"
    assert "sip:+15105550123@" in invite["From"]
    assert invite["X-Test"] == "yes"
    assert audio_address(invite)[0] == "127.0.0.1"
    far_end.reply(invite, 100, "Trying")
    far_end.reply(invite, 180, "Ringing")
    far_end.answer(invite)
    ack = await far_end.expect("ACK")
    assert ack.start == f"ACK sip:agent@127.0.0.1:{far_end.address[1]} SIP/2.0"
    assert ack["CSeq"].split() == [invite["CSeq"].split()[0], "ACK"]
    assert ack["To"].endswith(f";tag={far_end.tag}")
    timing = (await dialling).timing
    assert 0 < timing.trying_ms <= timing.ringing_ms <= timing.answered_ms < 5000


async def test_invite_is_repeated_until_it_is_heard(phone: Phone, far_end: FarEnd) -> None:
    """Lost packets: the same INVITE comes again with growing pauses, and stops at 100."""
    dialling = dial(phone, far_end)
    repeats = [await far_end.expect("INVITE") for _ in range(4)]
    assert len({invite["Via"] for invite in repeats}) == 1
    far_end.reply(repeats[-1], 100, "Trying")
    await asyncio.sleep(10 * FAST.t1_s)  # the wait itself is what is tested
    assert far_end.nothing_waits()
    far_end.answer(repeats[-1])
    await far_end.expect("ACK")
    await dialling


async def test_nobody_answers_at_all(phone: Phone, far_end: FarEnd) -> None:
    """After 64*T1 without a response the phone gives up and says how often it tried."""
    said = r"no response to INVITE in 1.28 s \(sent (\d) times\)"
    with pytest.raises(NoAnswer, match=said) as caught:
        await dial(phone, far_end)
    tried = re.search(said, str(caught.value))
    while not far_end.nothing_waits():
        await far_end.expect("INVITE")
    assert tried
    assert int(tried[1]) == len(far_end.seen) > 2


async def test_nothing_listens_there(phone: Phone) -> None:
    """The network's "port unreachable" ends the wait at once."""
    async with FarEnd() as gone:
        address = gone.address
    with pytest.raises(NoAnswer, match="nothing listens on UDP"):
        await phone.dial(NUMBER, server=address)


async def test_a_lost_ack_is_repeated(call: Call, far_end: FarEnd) -> None:
    """Every further copy of the 200 gets an ACK (RFC 3261 13.2.2.4)."""
    far_end.answer(far_end.seen[0])
    far_end.answer(far_end.seen[0])
    assert (await far_end.expect("ACK"))["CSeq"] == (await far_end.expect("ACK"))["CSeq"]


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (486, "Busy Here")])
async def test_refused(phone: Phone, far_end: FarEnd, status, reason) -> None:
    """A refusal is acknowledged in the INVITE's own transaction, each time it comes."""
    dialling = dial(phone, far_end)
    invite = await far_end.expect("INVITE")
    for _ in range(2):
        far_end.reply(invite, status, reason)
        ack = await far_end.expect("ACK")
        assert ack["Via"] == invite["Via"]
        assert ack["To"].endswith(far_end.tag)
    with pytest.raises(CallRefused, match=f"{status} {reason}") as caught:
        await dialling
    assert caught.value.status == status
    assert caught.value.hint


def proof(message: Message, header: str, password: str) -> bool:
    """Check a digest response the way RFC 7616 3.4.1 computes it."""
    said = dict(re.findall(r'(\w+)="?([^",]+)"?', message[header]))
    h = lambda text: hashlib.md5(text.encode()).hexdigest()  # noqa: E731
    ha1 = h(f"{said['username']}:{said['realm']}:{password}")
    ha2 = h(f"{message.method}:{said['uri']}")
    middle = f"{said['nc']}:{said['cnonce']}:{said['qop']}:" if "qop" in said else ""
    return said["response"] == h(f"{ha1}:{said['nonce']}:{middle}{ha2}")


@pytest.mark.parametrize(
    ("status", "asks", "answers", "qop"),
    [
        (407, "Proxy-Authenticate", "Proxy-Authorization", ""),
        (401, "WWW-Authenticate", "Authorization", ', qop="auth"'),
    ],
)
async def test_digest(far_end, status, asks, answers, qop) -> None:
    """A challenge is acknowledged and answered, with and without qop; the offer is repeated."""
    credentials = Credentials("alice", "wonder,land=")
    async with Phone(credentials=credentials, timers=FAST) as phone:
        dialling = dial(phone, far_end)
        first = await far_end.expect("INVITE")
        far_end.reply(
            first, status, "Unauthorized", f'{asks}: Digest realm="line", nonce="n1"{qop}'
        )
        await far_end.expect("ACK")
        second = await far_end.expect("INVITE")
        assert proof(second, answers, "wonder,land=")
        assert int(second["CSeq"].split()[0]) == int(first["CSeq"].split()[0]) + 1
        assert (second["Call-ID"], second["From"]) == (first["Call-ID"], first["From"])
        assert second.body == first.body
        far_end.answer(second)
        await far_end.expect("ACK")
        (await dialling).finish("end of test")
    assert "wonder" not in repr(credentials)


async def test_wrong_password(far_end: FarEnd) -> None:
    """A second challenge is final: the phone does not hammer at the door."""
    async with Phone(credentials=Credentials("alice", "wrong"), timers=FAST) as phone:
        dialling = dial(phone, far_end)
        for _ in range(2):
            invite = await far_end.expect("INVITE")
            far_end.reply(invite, 401, "No", 'WWW-Authenticate: Digest realm="r", nonce="n"')
            await far_end.expect("ACK")
        with pytest.raises(CallRefused, match="401"):
            await dialling


async def test_stale_nonce(far_end: FarEnd) -> None:
    """stale=true says that only the nonce was too old: one more try."""
    async with Phone(credentials=Credentials("alice", "right"), timers=FAST) as phone:
        dialling = dial(phone, far_end)
        for stale in ("", ", stale=true"):
            invite = await far_end.expect("INVITE")
            challenge = f'WWW-Authenticate: Digest realm="r", nonce="n{stale}"{stale}'
            far_end.reply(invite, 401, "No", challenge)
            await far_end.expect("ACK")
        far_end.answer(await far_end.expect("INVITE"))
        await far_end.expect("ACK")
        (await dialling).finish("end of test")


@pytest.mark.parametrize(
    "challenge",
    [
        'WWW-Authenticate: Digest realm="r", nonce="n", algorithm=XYZ',
        "WWW-Authenticate: Basic",
        "WWW-Authenticate:",
        "X-Nothing: here",
    ],
)
async def test_challenges_that_cannot_be_answered(far_end, challenge) -> None:
    """They refuse the call."""
    async with Phone(credentials=Credentials("alice", "pw"), timers=FAST) as phone:
        dialling = dial(phone, far_end)
        far_end.reply(await far_end.expect("INVITE"), 401, "No", challenge)
        await far_end.expect("ACK")
        with pytest.raises(CallRefused, match="401"):
            await dialling


async def test_nobody_picks_up(phone: Phone, far_end: FarEnd) -> None:
    """After the ring timeout the call is withdrawn with CANCEL, and 487 is acknowledged."""
    dialling = dial(phone, far_end, ring_timeout_s=0.05)
    invite = await far_end.expect("INVITE")
    far_end.reply(invite, 180, "Ringing")
    cancel = await far_end.expect("CANCEL")
    assert cancel["Via"] == invite["Via"]
    assert cancel["CSeq"].split() == [invite["CSeq"].split()[0], "CANCEL"]
    far_end.reply(cancel, 200, "OK")
    far_end.reply(invite, 487, "Request Terminated")
    await far_end.expect("ACK")
    with pytest.raises(NoAnswer, match="nobody answered"):
        await dialling


async def test_a_server_that_forgets_the_call(
    phone: Phone, far_end: FarEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """livekit-sip rings for a number that no rule knows, and then answers nothing any more."""
    monkeypatch.setattr(dialing, "CANCEL_WAIT_S", 0.1)
    dialling = dial(phone, far_end, ring_timeout_s=0.05)
    far_end.reply(await far_end.expect("INVITE"), 180, "Ringing")
    with pytest.raises(NoAnswer, match="had forgotten the call") as caught:
        await dialling
    assert "sip/lines.yaml" in caught.value.hint


async def test_cancel_waits_for_the_first_response(
    phone: Phone, far_end: FarEnd, monkeypatch
) -> None:
    """RFC 3261 9.1: a far end that has said nothing yet gets no CANCEL, until it says something."""
    monkeypatch.setattr(dialing, "CANCEL_WAIT_S", 0.1)
    dialling = dial(phone, far_end, ring_timeout_s=0.01)
    invite = await far_end.expect("INVITE")
    with pytest.raises(NoAnswer, match="no response to INVITE"):
        await dialling
    assert await far_end.waiting() <= {"INVITE"}
    far_end.reply(invite, 100, "Trying")
    await far_end.skip_to("CANCEL")


async def test_an_answer_that_crosses_cancel(phone: Phone, far_end: FarEnd) -> None:
    """The far end picked up at the last moment: it gets ACK and BYE, so that it does not hang."""
    dialling = dial(phone, far_end, ring_timeout_s=0.05)
    invite = await far_end.expect("INVITE")
    far_end.reply(invite, 180, "Ringing")
    await far_end.expect("CANCEL")
    far_end.answer(invite)
    await far_end.expect("ACK")
    bye = await far_end.skip_to("BYE")
    assert bye["To"].endswith(far_end.tag)
    far_end.reply(bye, 200, "OK")
    with pytest.raises(NoAnswer):
        await dialling


async def test_a_caller_who_gives_up(phone: Phone, far_end: FarEnd) -> None:
    """Cancelling the task withdraws the call."""
    dialling = dial(phone, far_end)
    far_end.reply(await far_end.expect("INVITE"), 180, "Ringing")
    await eventually(lambda: all(tx._timer is None for tx in phone._transactions.values()))
    dialling.cancel()
    await far_end.expect("CANCEL")
    with pytest.raises(asyncio.CancelledError):
        await dialling


@pytest.mark.parametrize("body", ["", "v=0\r\n", "m=audio x"])
async def test_an_answer_without_audio(phone: Phone, far_end: FarEnd, body) -> None:
    """It is acknowledged and hung up, and the error says what was wrong."""
    dialling = dial(phone, far_end)
    far_end.answer(await far_end.expect("INVITE"), body=body)
    await far_end.expect("ACK")
    far_end.reply(await far_end.expect("BYE"), 200, "OK")
    with pytest.raises(CallFailedError, match="without usable audio"):
        await dialling


async def test_requests_follow_the_route(phone: Phone, far_end: FarEnd) -> None:
    """Record-Route is taken in reverse and decides where ACK and BYE go; Contact is the target."""
    async with FarEnd() as proxy:
        dialling = dial(phone, far_end)
        via_proxy = f"<sip:127.0.0.1:{proxy.address[1]};lr>"
        route = f"Record-Route: <sip:198.51.100.7;lr>, {via_proxy}"
        far_end.answer(await far_end.expect("INVITE"), route)
        ack = await proxy.expect("ACK")
        assert ack.all("Route") == [via_proxy, "<sip:198.51.100.7;lr>"]
        assert ack.start.startswith(f"ACK sip:agent@127.0.0.1:{far_end.address[1]} ")
        call = await dialling
        hanging_up = asyncio.create_task(call.hang_up())
        proxy.reply(await proxy.expect("BYE"), 200, "OK")
        await hanging_up


async def test_answers_from_another_address_count(phone: Phone, far_end: FarEnd) -> None:
    """livekit-sip replies from the address that it bound, not from the one dialled."""
    async with FarEnd() as elsewhere:
        dialling = dial(phone, far_end)
        elsewhere.answer(await far_end.expect("INVITE"))
        await elsewhere.expect("ACK")
        (await dialling).finish("end of test")


GARBAGE = [
    b"",
    b"\r\n\r\n",
    b"\x00" * 40,
    b"SIP/2.0",
    b"SIP/2.0 200\r\n\r\n",
    b"SIP/2.0 200 OK\r\nVia: x\r\nFrom: x\r\nTo: x\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n",
    b"BYE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP [::1;branch=z9hG4bKx\r\nFrom: <\r\nTo: >\r\n"
    b"Call-ID: \r\nCSeq: 9999999999999 BYE\r\n\r\n",
    b"INVITE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKy;rport\r\nFrom: a\r\nTo: b\r\n"
    b"Call-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: -5\r\n\r\n",
    b"A" * 60000,
]


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_does_not_stop_a_call(phone: Phone, far_end: FarEnd, garbage) -> None:
    """Whatever arrives before and during a call, the call goes on."""
    dialling = dial(phone, far_end)
    invite = await far_end.expect("INVITE")
    far_end.send(garbage, invite.source)
    far_end.answer(invite)
    await far_end.skip_to("ACK")
    call = await dialling
    far_end.send(garbage, invite.source)
    far_end.request("OPTIONS", invite)
    while (await far_end.next())["CSeq"] != "1 OPTIONS":
        pass
    assert not call.ended.is_set()
    call.finish("end of test")


async def test_truncated_copies_of_a_good_answer(phone: Phone, far_end: FarEnd) -> None:
    """A 200 cut at any place is no answer or the answer, never the end of the phone."""
    dialling = dial(phone, far_end)
    invite = await far_end.expect("INVITE")
    text = far_end.response(invite, 200, "OK")
    for length in range(0, text.index("CSeq"), 7):
        far_end.send(text[:length], invite.source)
    far_end.answer(invite)
    await far_end.skip_to("ACK")
    (await dialling).finish("end of test")


async def test_a_phone_can_misbehave(far_end: FarEnd) -> None:
    """Faults for diagnosis: another address in the SDP, other codecs, spoilt SIP, no ACK."""
    faults = Faults(
        sdp_address="203.0.113.9",
        formats=((18, "G729/8000"),),
        no_ack=True,
        mangle_sip=lambda data: data.replace(b"voicestack-phone", b"broken"),
    )
    async with Phone(timers=FAST, faults=faults) as phone:
        dialling = dial(phone, far_end)
        invite = await far_end.expect("INVITE")
        assert audio_address(invite)[0] == "203.0.113.9"
        assert "RTP/AVP 18\r\n" in invite.body
        assert invite["User-Agent"] == "broken"
        far_end.answer(invite)
        (await dialling).finish("end of test")
        assert far_end.nothing_waits()


async def test_options_ping(phone: Phone, far_end: FarEnd) -> None:
    """A server that answers OPTIONS is alive."""
    asking = asyncio.create_task(phone.options(far_end.address))
    far_end.reply(await far_end.expect("OPTIONS"), 200, "OK")
    assert (await asking).response.status_code == 200


async def test_several_phones_in_one_process() -> None:
    """Each has its own address and its own calls."""
    async with FarEnd() as far_end:
        phones = [Phone("127.0.0.1", "+1555000001"), Phone("127.0.0.2", "+1555000002")]
        for phone in phones:
            async with phone:
                dialling = dial(phone, far_end)
                invite = await far_end.expect("INVITE")
                assert (invite.source[0], phone.user in invite["From"]) == (phone.address[0], True)
                assert audio_address(invite)[0] == phone.address[0]
                far_end.answer(invite)
                await far_end.expect("ACK")
                (await dialling).finish("end of test")

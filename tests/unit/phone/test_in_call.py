"""Signalling and audio of a call that is up."""

import asyncio
import itertools

import numpy as np
import pytest

from voicestack.phone import Call, CallEnded, Faults, Phone
from voicestack.phone.wire import g711

from .conftest import FAST
from .far_end import FarEnd, audio_address


async def hang_up(call, far_end: FarEnd) -> None:
    hanging_up = asyncio.create_task(call.hang_up())
    far_end.reply(await far_end.expect("BYE"), 200, "OK")
    await hanging_up


async def test_we_hang_up(call: Call, far_end: FarEnd) -> None:
    """BYE is answered, the call has ended, hanging up again is harmless."""
    await hang_up(call, far_end)
    await call.hang_up()
    assert call.end_reason == "we hung up"
    with pytest.raises(CallEnded):
        await call.send_dtmf("1")


async def test_a_lost_bye_is_repeated(call: Call, far_end: FarEnd) -> None:
    """And if it is never answered the call ends all the same, saying so."""
    hanging_up = asyncio.create_task(call.hang_up())
    first, second = await far_end.expect("BYE"), await far_end.expect("BYE")
    assert first["Via"] == second["Via"]
    await hanging_up
    assert "BYE was not answered" in call.end_reason


async def test_the_far_end_hangs_up(call: Call, far_end: FarEnd) -> None:
    """BYE gets 200, a repeated BYE too; the reason is kept."""
    invite = far_end.seen[0]
    far_end.request("BYE", invite, 'Reason: Q.850;cause=16;text="bye"')
    await far_end.expect("200")
    await call.ended.wait()
    assert "far end hung up (Q.850;cause=16" in call.end_reason
    far_end.seq -= 1  # the same branch once more
    far_end.request("BYE", invite)
    await far_end.expect("200")


async def test_bye_of_a_stranger(call: Call, far_end: FarEnd) -> None:
    """A BYE that does not know the dialog's tags ends nothing."""
    far_end.tag = "another"
    far_end.request("BYE", far_end.seen[0])
    await far_end.expect("481")
    assert not call.ended.is_set()


async def test_speaking_when_the_call_ends(call: Call, far_end: FarEnd) -> None:
    """Whoever is speaking learns that nobody listens any more."""
    saying = asyncio.create_task(call.say(np.full(80000, 9000, np.int16)))
    await far_end.next_rtp()
    far_end.request("BYE", far_end.seen[0])
    with pytest.raises(CallEnded):
        await saying


async def test_listening_when_the_call_ends(call: Call, far_end: FarEnd) -> None:
    """A listener gets what was heard so far."""
    listening = asyncio.create_task(call.listen(timeout_s=60))
    await asyncio.sleep(0)
    far_end.request("BYE", far_end.seen[0])
    assert (await listening).first_audio_at is None


async def test_options_inside_the_call(call: Call, far_end: FarEnd) -> None:
    """Keep-alives of servers are answered."""
    far_end.request("OPTIONS", far_end.seen[0])
    answer = await far_end.expect("200")
    assert "INVITE" in answer["Allow"]


async def test_a_request_out_of_order(call: Call, far_end: FarEnd) -> None:
    """RFC 3261 12.2.2: a lower number than before is refused."""
    far_end.request("OPTIONS", far_end.seen[0], seq=10)
    await far_end.expect("200")
    far_end.request("OPTIONS", far_end.seen[0], seq=5)
    await far_end.expect("500")


async def test_an_unknown_method(call: Call, far_end: FarEnd) -> None:
    """It is refused without harm."""
    far_end.request("PUBLISH", far_end.seen[0])
    await far_end.expect("405")


async def test_being_put_on_hold(call: Call, far_end: FarEnd) -> None:
    """sendonly is answered recvonly and silences us; sendrecv brings us back, to the new port."""
    invite = far_end.seen[0]
    await far_end.next_rtp()
    far_end.request("INVITE", invite, body=far_end.sdp(direction="sendonly"))
    answer = await far_end.expect("200")
    assert "a=recvonly" in answer.body
    far_end.request("ACK", invite, seq=far_end.seq)
    far_end.forget_rtp()
    await asyncio.sleep(0.1)  # the wait itself is what is tested
    assert far_end._rtp.arrived.empty()
    async with FarEnd() as other:
        far_end.request("INVITE", invite, body=other.sdp())
        assert "a=sendrecv" in (await far_end.expect("200")).body
        far_end.request("ACK", invite, seq=far_end.seq)
        await other.next_rtp()


async def test_an_offer_that_cannot_be_used_changes_nothing(call: Call, far_end: FarEnd) -> None:
    """488, and audio goes on as before."""
    far_end.request("INVITE", far_end.seen[0], body=far_end.sdp(formats="18"))
    refusal = await far_end.expect("488")
    far_end.request("ACK", far_end.seen[0], seq=int(refusal["CSeq"].split()[0]))
    await far_end.next_rtp()


async def test_an_answer_is_repeated_until_ack(call: Call, far_end: FarEnd) -> None:
    """A 200 to re-INVITE comes again until its ACK arrives (RFC 3261 13.3.1.4)."""
    far_end.request("INVITE", far_end.seen[0], body=far_end.sdp())
    for _ in range(3):
        await far_end.expect("200")
    far_end.request("ACK", far_end.seen[0], seq=far_end.seq)


async def test_we_hold(call: Call, far_end: FarEnd) -> None:
    """Our re-INVITE says sendonly, then sendrecv; versions of the description grow."""
    versions = []
    for action, direction in ((call.hold, "sendonly"), (call.resume, "sendrecv")):
        doing = asyncio.create_task(action())
        invite = await far_end.expect("INVITE")
        assert f"a={direction}\r\n" in invite.body
        versions.append(int(invite.body.split("o=- ")[1].split()[1]))
        far_end.answer(invite)
        await far_end.expect("ACK")
        await doing
    assert versions == sorted(set(versions))


async def test_rtp_goes_out_all_the_time(call: Call, far_end: FarEnd) -> None:
    """Silence, speech, silence: one packet every 20 ms, numbers in a row, the words unharmed."""
    speech = (8000 * np.sin(np.arange(1600) / 3)).astype(np.int16)
    await far_end.next_rtp()
    said = await call.say(speech)
    packets = [await far_end.next_rtp() for _ in range(20)]
    steps = {(b.seq - a.seq, b.timestamp - a.timestamp) for a, b in itertools.pairwise(packets)}
    assert steps == {(1, 160)}
    spoken = b"".join(packet.payload for packet in packets)
    start = spoken.index(g711.PCMU.encode(speech)[:160])
    assert spoken[start : start + 1600] == g711.PCMU.encode(speech)
    assert set(spoken[start + 1600 :]) <= {0xFF}
    assert next(p for p in packets if p.marker).payload == g711.PCMU.encode(speech)[:160]
    assert said.speech_ended_at - said.speech_started_at == pytest.approx(0.18, abs=0.1)


async def test_a_law(phone: Phone, far_end: FarEnd) -> None:
    """The far end's first choice decides."""
    dialling = asyncio.create_task(phone.dial("1", server=far_end.address))
    far_end.answer(await far_end.expect("INVITE"), body=far_end.sdp(formats="8 0 101"))
    await far_end.expect("ACK")
    await dialling
    packet = await far_end.next_rtp()
    assert (packet.payload_type, packet.payload) == (8, b"\xd5" * 160)


async def test_no_rtp_on_purpose(far_end: FarEnd) -> None:
    """A phone whose audio is blocked."""
    async with Phone(timers=FAST, faults=Faults(no_rtp=True)) as phone:
        dialling = asyncio.create_task(phone.dial("1", server=far_end.address))
        far_end.answer(await far_end.expect("INVITE"))
        await far_end.expect("ACK")
        call = await dialling
        await call.say(np.full(800, 9000, np.int16))
        assert far_end._rtp.arrived.empty()
        call.finish("end of test")


async def test_keys_go_out_as_events(call: Call, far_end: FarEnd) -> None:
    """Each key: one timestamp, growing duration, end three times; then the next key."""
    await call.send_dtmf("1#")
    events = []
    while not far_end._rtp.arrived.empty():
        packet = await far_end.next_rtp()
        if packet.payload_type == 101:
            events.append(packet)
    by_key = {t: list(g) for t, g in itertools.groupby(events, key=lambda p: p.timestamp)}
    assert [group[0].payload[0] for group in by_key.values()] == [1, 11]
    for group in by_key.values():
        assert [p.marker for p in group] == [True] + [False] * (len(group) - 1)
        assert [bool(p.payload[1] & 0x80) for p in group[-4:]] == [False, True, True, True]
        durations = [int.from_bytes(p.payload[2:4], "big") for p in group]
        assert durations == sorted(durations)
        assert durations[-1] == 160 * 8


async def test_keys_come_in(call: Call, far_end: FarEnd) -> None:
    """Keys from the far end are collected with their time and length."""
    to = audio_address(far_end.seen[0])
    for number, (duration, end) in enumerate([(160, 0), (320, 0), (480, 0x80), (480, 0x80)]):
        payload = bytes([5, end | 10]) + duration.to_bytes(2, "big")
        far_end.send_rtp(payload, to=to, seq=number, timestamp=77, payload_type=101)
    while len(call.media.received) < 4:
        await call.media.next_frame()
    assert call.dtmf_received == "5"
    assert call.media.keys.presses[0].duration_ms == 60


TONE = g711.PCMU.encode((9000 * np.sin(np.arange(160) * 0.25)).astype(np.int16))
QUIET = b"\xff" * 160


async def speak(far_end: FarEnd, to: tuple[str, int], frames: list[bytes]) -> list[float]:
    """Send frames every 20 ms; when each was sent."""
    loop = asyncio.get_running_loop()
    start, sent = loop.time(), []
    for number, frame in enumerate(frames):
        await asyncio.sleep(max(0, start + number * 0.02 - loop.time()))
        sent.append(loop.time())
        far_end.send_rtp(frame, to=to, seq=65530 + number & 0xFFFF, timestamp=160 * number)
    return sent


async def test_a_reply_is_found_by_its_sound(call: Call, far_end: FarEnd) -> None:
    """Silence frames are no reply; the times are those of the first and last audible frame."""
    to = audio_address(far_end.seen[0])
    frames = [QUIET] * 15 + [TONE] * 20 + [QUIET] * 30
    listening = asyncio.create_task(call.listen(until_quiet_s=0.3, timeout_s=5))
    sent = await speak(far_end, to, frames)
    heard = await listening
    assert heard.first_audio_at == pytest.approx(sent[15], abs=0.05)
    assert heard.last_audio_at == pytest.approx(sent[34] + 0.02, abs=0.05)
    assert np.count_nonzero(heard.samples) > 0.9 * 20 * 160


async def test_no_reply(call: Call, far_end: FarEnd) -> None:
    """Silence until the timeout is reported as no audio, not as an error."""
    to = audio_address(far_end.seen[0])
    listening = asyncio.create_task(call.listen(timeout_s=0.3))
    await speak(far_end, to, [QUIET] * 20)
    heard = await listening
    assert heard.first_audio_at is None
    assert heard.last_audio_at is None


async def test_no_rtp_at_all_does_not_hang_the_listener(call: Call) -> None:
    """The clock of a listener does not depend on packets."""
    assert (await call.listen(timeout_s=0.1)).first_audio_at is None


async def test_a_dead_stream_ends_a_reply(call: Call, far_end: FarEnd) -> None:
    """An agent whose RTP stops in mid-word has finished."""
    to = audio_address(far_end.seen[0])
    listening = asyncio.create_task(call.listen(until_quiet_s=0.3, timeout_s=5))
    await speak(far_end, to, [TONE] * 10)
    assert (await listening).last_audio_at is not None


async def test_a_reply_that_never_ends(call: Call, far_end: FarEnd) -> None:
    """A listener has had enough some time, and hears what follows as something new."""
    to = audio_address(far_end.seen[0])
    speaking = asyncio.create_task(speak(far_end, to, [TONE] * 50))
    heard = await call.listen(timeout_s=5, longest_s=0.3)
    assert heard.first_audio_at is not None
    assert not speaking.done()
    again = await call.listen(timeout_s=5, longest_s=0.2)
    assert again.first_audio_at is not None
    assert again.first_audio_at >= (heard.last_audio_at or 0)
    await speaking


async def test_copies_and_noise_are_not_heard(call: Call, far_end: FarEnd) -> None:
    """Repeated packets and datagrams that are no RTP leave no trace in what was heard."""
    to = audio_address(far_end.seen[0])
    for seq in (1, 2, 2, 1, 3):
        far_end.send_rtp(TONE, to=to, seq=seq, timestamp=160 * seq)
    far_end._rtp.transport.sendto(b"noise", to)
    while len(call.media.received) < 5 or not call.media.ignored_datagrams:
        await call.media.next_frame() if len(call.media.received) < 5 else await asyncio.sleep(0)
    assert len(call.media.meter.loud) == 3 * 2

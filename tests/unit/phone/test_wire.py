"""Bytes into values and back."""

import numpy as np
import pytest

from voicestack.phone.errors import MalformedError
from voicestack.phone.wire import dtmf, g711, rtp, sdp, sip

# ITU-T G.711 tables 1a and 2a at the ends of segments, in 16-bit scale.
ULAW = {0: 0xFF, 1000: 0xCE, -1000: 0x4E, 32124: 0x80, 32767: 0x80, -32124: 0x00, -32768: 0x00}
ALAW = {8: 0xD5, -8: 0x55, 1000: 0xFA, -1000: 0x7A, 32256: 0xAA, 32767: 0xAA, -32768: 0x2A}


@pytest.mark.parametrize(("law", "table"), [(g711.PCMU, ULAW), (g711.PCMA, ALAW)])
def test_known_values_of_g711(law, table) -> None:
    """Encoders agree with the tables of the recommendation."""
    samples = np.array(list(table), dtype=np.int16)
    assert list(law.encode(samples)) == list(table.values())


@pytest.mark.parametrize(
    ("law", "byte", "sample"),
    [
        (g711.PCMU, 0x00, -32124),
        (g711.PCMU, 0x80, 32124),
        (g711.PCMU, 0xFF, 0),
        (g711.PCMU, 0x7F, 0),
        (g711.PCMU, 0xEF, 132),
        (g711.PCMA, 0x2A, -32256),
        (g711.PCMA, 0xAA, 32256),
        (g711.PCMA, 0xD5, 8),
        (g711.PCMA, 0x55, -8),
        (g711.PCMA, 0xC5, 264),
    ],
)
def test_known_bytes_of_g711(law, byte, sample) -> None:
    """Decoders agree with the tables of the recommendation."""
    assert law.decode(bytes([byte])) == [sample]


@pytest.mark.parametrize("law", [g711.PCMU, g711.PCMA])
def test_every_sample_goes_to_the_nearest_level(law) -> None:
    """No other byte would decode closer to the sample."""
    samples = np.arange(-32768, 32768, 7, dtype=np.int16)
    levels = np.unique(law.decode(bytes(range(256)))).astype(int)
    best = np.min(np.abs(samples.astype(int)[:, None] - levels[None, :]), axis=1)
    error = np.abs(law.decode(law.encode(samples)).astype(int) - samples)
    assert (error == best).all()


def test_rtp_survives_the_wire() -> None:
    """What was built is read back, with numbers wrapped."""
    packet = rtp.Packet(101, 70000, 2**32 + 5, 7, b"abc", marker=True)
    expected = rtp.Packet(101, 70000 - 65536, 5, 7, b"abc", marker=True)
    assert rtp.parse(rtp.build(packet)) == expected


def test_rtp_with_csrc_extension_and_padding() -> None:
    """Optional parts of the header are skipped."""
    plain = rtp.build(rtp.Packet(0, 1, 2, 3, b""))
    head = bytes([0x80 | 0x20 | 0x10 | 1]) + plain[1:]
    extension = b"\xbe\xde\x00\x01" + b"\x10\xff\x00\x00"
    parsed = rtp.parse(head + b"CSRC" + extension + b"audio" + b"\x00\x00\x03")
    assert parsed is not None
    assert parsed.payload == b"audio"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"\x00\x01" + bytes(18),  # STUN
        b"\x80\xc8" + bytes(26),  # RTCP sender report
        b"\xb0\x00" + bytes(10),  # an extension that is not there
        b"\xa0\x00" + bytes(9) + b"\xff",  # more padding than packet
    ],
)
def test_what_is_not_rtp(data) -> None:
    """Other protocols and broken packets are told apart."""
    assert rtp.parse(data) is None


def test_order_of_sequence_numbers_across_the_wrap() -> None:
    """65535 is followed by 0."""
    assert rtp.ahead(0, 65535) == 1
    assert rtp.ahead(65535, 0) == -1


def packets(key: str, timestamp: int, frames: int = 5) -> list[rtp.Packet]:
    events = [event for step in dtmf.press(key, frames) for event in step]
    return [rtp.Packet(101, n, timestamp, 9, dtmf.build(e)) for n, e in enumerate(events)]


def test_a_key_press_ends_three_times() -> None:
    """RFC 4733 2.5.1.4, and the duration grows to its full length."""
    steps = dtmf.press("5", 8)
    assert [event.end for event in steps[-1]] == [True, True, True]
    assert [step[0].duration_samples for step in steps[:-1]] == [160 * n for n in range(1, 9)]
    assert steps[-1][0].duration_samples == 8 * 160


@pytest.mark.parametrize("lost", [0, 1, 4, 6, 7])
def test_a_key_survives_the_loss_of_a_packet(lost) -> None:
    """Whatever single packet is lost, the key counts once, has ended, and has its length."""
    receiver = dtmf.Receiver()
    for number, packet in enumerate(packets("#", 1000)):
        if number != lost:
            receiver.feed(packet, at=0.0)
    assert receiver.keys == "#"
    assert receiver.presses[0].ended
    assert receiver.presses[0].duration_ms == 100


def test_the_same_key_twice_is_two_presses() -> None:
    """Presses are told apart by their timestamp, not by their digit."""
    receiver = dtmf.Receiver()
    for packet in packets("1", 1000) + packets("1", 5000) + packets("*", 9000):
        receiver.feed(packet, at=0.0)
    assert receiver.keys == "11*"


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\xff\x00\x00\x00"])
def test_what_is_no_key(payload) -> None:
    """Short payloads and other events (RFC 4733 3) press nothing."""
    receiver = dtmf.Receiver()
    receiver.feed(rtp.Packet(101, 1, 1, 1, payload), at=0.0)
    assert receiver.keys == ""


ANSWER = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 9 8 0 97\r\na=rtpmap:97 telephone-event/8000\r\n"
)


def test_sdp_of_an_answer() -> None:
    """The first G.711 law in their order, the number they gave to keys, their address."""
    media = sdp.read(ANSWER)
    assert (str(media.address), media.port) == ("192.0.2.1", 4000)
    assert (media.law.name, media.dtmf_payload_type) == ("PCMA", 97)
    assert media.wants_audio


def test_media_level_address_outranks_the_session_s() -> None:
    """RFC 4566 5.7."""
    media = sdp.read(ANSWER + "c=IN IP4 192.0.2.9\r\n")
    assert str(media.address) == "192.0.2.9"


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
def test_on_hold_we_do_not_send(direction) -> None:
    """The attribute may stand in the session part too."""
    assert not sdp.read(ANSWER + f"a={direction}\r\n").wants_audio
    assert not sdp.read(ANSWER.replace("t=0 0\r\n", f"t=0 0\r\na={direction}\r\n")).wants_audio


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        ANSWER.replace("m=audio", "m=video"),
        ANSWER.replace("9 8 0 97", "9 18"),
        ANSWER.replace("c=IN IP4 192.0.2.1", "c=IN IP6 ::1"),
        ANSWER.replace("4000", "ninety"),
        ANSWER.replace("4000", "70000"),
        ANSWER.replace("rtpmap:97", "rtpmap:x"),
    ],
)
def test_sdp_that_cannot_be_used(text) -> None:
    """One error for everything that a call cannot live with."""
    with pytest.raises(MalformedError):
        sdp.read(text)


def test_hold_as_old_phones_do_it() -> None:
    """The address 0.0.0.0 (RFC 3264 8.4)."""
    assert not sdp.read(ANSWER.replace("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0")).wants_audio


def test_our_offer_can_be_read() -> None:
    """Builder and reader agree."""
    formats = sdp.formats_of((g711.PCMA, g711.PCMU), 101)
    media = sdp.read(sdp.build("192.0.2.3", 5004, formats=formats, direction="sendonly"))
    assert (media.law, media.dtmf_payload_type) == (g711.PCMA, 101)
    assert (str(media.address), media.port, media.direction) == ("192.0.2.3", 5004, "sendonly")


GOOD = (
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\n"
    "To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n"
)


def test_a_good_response() -> None:
    """The compact form of a header counts too."""
    assert sip.cseq(sip.parse(GOOD.encode())) == (1, "INVITE")
    assert sip.branch(sip.parse(GOOD.replace("Via:", "v:").encode())) == "z9hG4bKa"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\xff\xfe",
        b"SIP/2.0",
        b"SIP/2.0 abc OK\r\n\r\n",
        GOOD.replace("200", "99").encode(),
        GOOD.replace("200", "4711").encode(),
        GOOD.replace(";branch=z9hG4bKa", "").encode(),
        GOOD.replace("CSeq: 1 INVITE", "CSeq: one INVITE").encode(),
        GOOD.replace("CSeq: 1 INVITE", "CSeq: 1").encode(),
        GOOD.replace("Call-ID: x\r\n", "").encode(),
        b"INVITE\r\n\r\n",
    ],
)
def test_what_is_no_sip(data) -> None:
    """Broken messages raise one error, whatever is broken."""
    with pytest.raises(MalformedError):
        sip.parse(data)

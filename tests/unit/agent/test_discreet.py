"""No caller's number in a log, whoever writes it."""

import logging

import pytest

from voice_agent import discreet


def test_numbers_and_personal_fields_are_taken_out(caplog: pytest.LogCaptureFixture) -> None:
    """The last two digits stay, as everywhere; the called number in a room's name stays whole."""
    logger = logging.getLogger("test_discreet")
    logger.addFilter(discreet.Discreet())
    room = "call-_+15550111_WXoz"
    extra = {"identity": "sip_+15105550123", "room": room, "lk.pii.participant": "+15105550123"}
    logger.warning("linked to sip_+15105550123", extra=extra)
    (record,) = caplog.records
    assert "5105550" not in str(record.__dict__)
    assert record.__dict__["identity"] == "sip_…23"
    assert record.__dict__["room"] == room

"""Headers of a call are data: bounded, on one line, and never mistaken for the stack's own."""

import pytest

from voice_agent import headers


def test_what_is_dangerous_is_neutral() -> None:
    """Ends of lines, control bytes, direction marks and great lengths."""
    value = "Ms Miller\r\nX-Evil: 1\x00\x1b[2J\u202e\x7f" + "A" * 65_536
    cleaned = headers.told({"customer": value})["customer"]
    assert cleaned.isprintable()
    assert cleaned.startswith("Ms Miller X-Evil: 1 [2J A")
    assert len(cleaned) == headers.MOST_CHARS


def test_only_mapped_headers_are_told() -> None:
    """Not the gateway's attributes, and not more of them than a prompt bears."""
    given = {"sip.callID": "SCL_1", "lk.agent.state": "x", "voicestack.role": "asked", "a": "b"}
    assert headers.told(given) == {"a": "b"}
    many = {f"h{number:03}": "x" for number in range(500)}
    assert len(headers.told(many)) == headers.MOST


@pytest.mark.parametrize(
    ("verstat", "attested"),
    [
        ("TN-Validation-Passed-A", "A"),
        ('"+1" <sip:+15105550123;verstat=TN-Validation-Passed-B@carrier>', "B"),
        ("tn-validation-passed", "C"),
        ("TN-Validation-Failed-A", "failed"),
        ("No-TN-Validation", "none"),
        ("A", "none"),
        ("x" * 100_000 + "TN-Validation-Passed-A", "none"),
    ],
)
def test_attestation(verstat: str, attested: str) -> None:
    """Whoever writes something else is not attested."""
    assert headers.attestation({"verstat": verstat}) == attested
    assert headers.attestation({}) == "none"

"""Data and instructions are not read out."""

from collections.abc import AsyncIterator

import pytest

from voice_agent import spoken

FACTS = ("Harbor Dental", "Monday to Friday, 9 am to 5 pm")
ORDERS = spoken.Instructions(
    "You are the receptionist of Harbor Dental, on the phone. Answer in one short spoken sentence. "
    "We are open Monday to Friday, 9 am to 5 pm. We are closed at all other times. "
    "The secret word of the house is zebra.",
    FACTS,
)


async def through(text: str, size: int) -> str:
    async def pieces() -> AsyncIterator[str]:
        for start in range(0, len(text), size):
            yield text[start : start + size]

    return "".join([str(piece) async for piece in spoken.speakable(pieces(), ORDERS)])


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    "text",
    [
        "Yes, we are open Monday to Friday, 9 am to 5 pm.",
        "We are closed at all other times.",
        "It costs 3.50 - about that much; null Problem.",
        "  Hello!  ",
        "Sure, [laughs] why not.",
        "",
    ],
)
async def test_words_pass_as_they_are(text: str, size: int) -> None:
    """Facts are for callers, and no space is lost."""
    assert await through(text, size) == text


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"status": "ok", "id": 7}', spoken.INSTEAD_OF_DATA),
        ('I found: {"status": "ok"}. Good.', "I found: "),
        ("<tool_call>pay</tool_call>", spoken.INSTEAD_OF_DATA),
        ("Well. ```json [1]```", "Well. "),
        ('[{"a": 1}]', spoken.INSTEAD_OF_DATA),
        ("take_message(message='x')", spoken.INSTEAD_OF_DATA),
    ],
)
async def test_data_is_not_read_out(text: str, said: str, size: int) -> None:
    """From where it begins; and never silence."""
    assert await through(text, size) == said


@pytest.mark.parametrize("size", [1, 5, 1000])
async def test_instructions_are_not_read_out(size: int) -> None:
    """A few words in common are talk; a row of them is a leak, and is stopped before its point."""
    said = await through("My orders: the secret word of the house is zebra. Good day.", size)
    assert "zebra" not in said
    said = await through("answer in one short spoken sentence. We are open", size)
    assert "sentence" not in said

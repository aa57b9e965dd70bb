"""The first clause leaves early, nothing is lost."""

import pytest

from voice_agent.clauses import ClauseTokenizer, cut_first, cut_later


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("Of course, I can help", "Of course,"),
        ("Yes, of course, I can", "Yes, of course,"),  # one word alone sounds chopped off
        ("We are open from nine to five on weekdays", "We are open from "),
        ("We are open.", None),  # the end of the text so far, not of the sentence
        ("It costs 3.5 euros", None),
        ("Ask Dr. Smith today. He", "Ask Dr. Smith today."),
        ("", None),
    ],
)
def test_first_piece_is_short(text: str, piece: str | None) -> None:
    """The first piece ends at a clause, or after four words."""
    cut = cut_first(text)
    assert (cut.piece if cut else None) == piece


def test_later_pieces_are_sentences() -> None:
    """After the first piece there is time for whole sentences."""
    assert cut_later("Yes. We are open on Monday. Come") is not None
    assert cut_later("we are open on Monday, Tuesday and") is None
    long = "word " * 60
    cut = cut_later(long)
    assert cut is not None
    assert cut.piece + cut.rest == long


async def test_stream_gives_back_every_character() -> None:
    """Whatever the chunks, the pieces put together are the reply."""
    text = "Of course, I can help. We are open from nine to five, Monday to Friday! Is that all?"
    for size in (1, 3, 7, 100):
        stream = ClauseTokenizer().stream()
        for start in range(0, len(text), size):
            stream.push_text(text[start : start + size])
        stream.end_input()
        pieces = [event.token async for event in stream]
        assert "".join(pieces) == text
        assert pieces[0] == "Of course,"
    assert "".join(ClauseTokenizer().tokenize(text)) == text


async def test_each_flush_begins_a_new_reply() -> None:
    """The first clause of a second segment is short again."""
    stream = ClauseTokenizer().stream()
    stream.push_text("Hello there.")
    stream.flush()
    stream.push_text("And now, something else")
    stream.end_input()
    assert [event.token async for event in stream] == [
        "Hello there.",
        "And now,",
        " something else",
    ]

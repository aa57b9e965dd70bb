"""Which interim words are believed."""

from livekit.plugins.faster_whisper.agreement import Agreement


def test_a_word_is_believed_when_two_guesses_agree() -> None:
    """One guess alone shows nothing."""
    agreement = Agreement()
    assert not agreement.update("had he")
    assert agreement.update("had he married a")
    assert agreement.text == "had he"


def test_case_and_punctuation_do_not_count() -> None:
    """The end of a sentence moves while the speaker speaks on."""
    agreement = Agreement()
    agreement.update("Ten of clubs.")
    assert agreement.update("ten of clubs and four")
    assert agreement.text == "ten of clubs"


def test_believed_words_are_not_taken_back() -> None:
    """A guess that contradicts them is passed over, and so are those that build on it."""
    agreement = Agreement()
    agreement.update("four queen of")
    agreement.update("four queen of clubs")
    assert not agreement.update("for the queen of clubs please")
    assert not agreement.update("for the queen of clubs please do")
    assert agreement.text == "four queen of"

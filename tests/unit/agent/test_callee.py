"""Who picked up: by words, pauses and beeps."""

from pathlib import Path

import numpy as np
import pytest

from tests import greetings, speech
from voice_agent.callee.beep import RATE_HZ, BeepDetector
from voice_agent.callee.doubt import Doubt
from voice_agent.callee.errand import Errand
from voice_agent.callee.judge import FIRST_WORD_S, LIKELY_QUIET_S, Callee, Verdict
from voice_agent.callee.words import Said, judge
from voice_agent.settings import AgentSettings


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (greetings.VOICEMAILS, {Said.VOICEMAIL, Said.LIKELY}),
        (greetings.SCREENINGS, {Said.SCREENING}),
        (greetings.PEOPLE, {Said.PERSON}),
    ],
)
def test_texts(file: Path, said: set[Said]) -> None:
    """Every greeting that we know is what it is."""
    assert [text for text in greetings.texts(file) if judge(text) not in said] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", Said.NOTHING),
        ("  ", Said.NOTHING),
        ("Thank you. Please stay on the line.", Said.HOLD),
        ("Okay.", Said.HOLD),
        ("Guten Tag, bitte hinterlassen Sie eine Nachricht nach dem Signalton.", Said.VOICEMAIL),
        ("Der gewünschte Gesprächspartner ist zurzeit nicht erreichbar.", Said.VOICEMAIL),
        ("Müller, guten Tag?", Said.PERSON),
        ("Please take your name and why you're calling.", Said.SCREENING),
        ("My voice mailey more waneful, that could you call to me.", Said.PERSON),
        ("What is your name and date of birth?", Said.PERSON),
        ("She is not available right now. May I take a message?", Said.PERSON),
        ("I got your voicemail, sorry that I did not call back.", Said.PERSON),
        ("Yo, it's Kim. Talk to me.", Said.PERSON),
    ],
)
def test_edges(text: str, said: Said) -> None:
    """What comes between; the last is a voicemail's, and only its beep can tell."""
    assert judge(text) is said


def test_in_a_talk_only_sure_words_count() -> None:
    """A person who was greeted already says that he will call back, and is no machine."""
    text = "I can't take it at the moment, I'll call you back."
    assert judge(text) is Said.LIKELY
    assert judge(text, talking=True) is Said.PERSON
    assert judge("Please leave a message after the beep.", talking=True) is Said.VOICEMAIL


def test_people_are_recorded_as_people() -> None:
    """No sentence of the recordings is taken for a machine's."""
    taken = [each.text for each in speech.utterances() if judge(each.text) is not Said.PERSON]
    assert taken == []


def test_silence_is_a_person_that_waits() -> None:
    """Somebody must speak first in the end."""
    callee = Callee(10.0)
    assert callee.verdict(10.0 + FIRST_WORD_S - 0.1) is None
    assert callee.verdict(10.1 + FIRST_WORD_S) is Verdict.PERSON


def test_hello_is_answered_soon_and_a_pause_in_a_long_sentence_is_not() -> None:
    """People who have said hello wait."""
    callee = Callee(0.0)
    callee.speech_started(1.0)
    assert callee.verdict(5.0) is None, "he is speaking"
    callee.words("Hello?", 1.6, final=True)
    assert callee.verdict(1.9) is None
    assert callee.verdict(2.2) is Verdict.PERSON
    callee.speech_started(2.3)
    callee.words("This is a longer thing to say, with a name in it, and a pause.", 6.3, final=True)
    assert callee.verdict(8.8) is None, "a beep may follow"
    assert callee.verdict(9.1) is Verdict.PERSON
    callee.speech_started(9.2)
    callee.words("How can I help you?", 10.2, final=True)
    assert callee.verdict(10.8) is Verdict.PERSON


def test_a_guess_is_enough_for_a_voicemail() -> None:
    """Nobody waits for the end of a greeting to know what it is."""
    callee = Callee(0.0)
    callee.speech_started(0.5)
    callee.words("You have reached the voicemail of", 2.0, final=False)
    assert callee.verdict(2.0) is Verdict.VOICEMAIL


def test_what_a_person_says_next_is_waited_for() -> None:
    """Two weak phrases are a voicemail's only if nothing follows them."""
    callee = Callee(0.0)
    callee.speech_started(0.5)
    callee.words("Sorry, he is not here right now.", 2.0, final=True)
    assert callee.verdict(2.3) is None
    callee.speech_started(2.4)
    callee.words("Can I take a message?", 3.4, final=True)
    assert callee.verdict(4.0) is Verdict.PERSON
    machine = Callee(0.0)
    machine.speech_started(0.5)
    machine.words("Sorry, I am not here right now.", 2.0, final=True)
    assert machine.verdict(2.1 + LIKELY_QUIET_S) is Verdict.VOICEMAIL
    late = Callee(0.0)
    late.speech_started(0.5)
    late.words("Sorry, I am not here right now.", 2.0, final=True, known_at=4.0)
    assert late.verdict(4.1) is None, "what follows may be as late"
    assert late.verdict(4.8) is Verdict.VOICEMAIL


@pytest.mark.parametrize(
    ("said", "hz", "lasts_s", "verdict"),
    [
        ("Hello.", 1000, 0.4, None),
        ("Hello. You can reach the on working extension.", 1000, 0.4, Verdict.VOICEMAIL),
        ("Hello. You can reach the on working extension.", 1400, 0.2, None),
        ("Hello. You can reach the on working extension.", 1400, 0.5, Verdict.VOICEMAIL),
    ],
    ids=["a telephone's", "a mailbox's", "a recorder's", "a longer one"],
)
def test_a_beep_in_the_talk(said: str, hz: float, lasts_s: float, verdict: Verdict | None) -> None:
    """After a greeting it is a mailbox's; that of a recorder comes from people's telephones."""
    detector = BeepDetector()
    whole = tone(hz, lasts_s=lasts_s + 0.5, on_s=lasts_s)
    heard = [detector.push(whole[at : at + 320]) for at in range(0, len(whole) - 319, 320)]
    (beep,) = filter(None, heard)
    doubt = Doubt(said)
    assert doubt.beep(beep) is verdict
    assert doubt.beeped is (verdict is not None)


def test_words_in_the_talk() -> None:
    """Only sure ones change anything."""
    doubt = Doubt("Hello.")
    assert doubt.words("I can't talk at the moment, I'll call you back.") is None
    assert doubt.words("Please tell me your name and why you are calling.") is Verdict.SCREENING
    assert doubt.words("Please leave a message.") is Verdict.VOICEMAIL


def test_a_beep_after_a_greeting_without_words() -> None:
    """Another language, or nothing understood; a beep after "Hello?" is a telephone's."""
    callee = Callee(0.0)
    callee.speech_started(0.5)
    callee.words("Ciao, sono Marco.", 4.5, final=True)
    callee.beep()
    assert callee.verdict(4.9) is Verdict.VOICEMAIL
    person = Callee(0.0)
    person.speech_started(0.5)
    person.words("Hello?", 1.0, final=True)
    person.beep()
    assert person.verdict(1.6) is Verdict.PERSON


def beeps(samples: greetings.Samples) -> int:
    detector = BeepDetector()
    whole = np.concatenate([samples, np.zeros(RATE_HZ, np.int16)])
    return sum(
        detector.push(whole[at : at + 320]) is not None for at in range(0, len(whole) - 319, 320)
    )


def tone(*hz: float, lasts_s: float, on_s: float = 9.0, level: float = 6000) -> greetings.Samples:
    at_s = np.arange(int(lasts_s * RATE_HZ)) / RATE_HZ
    wave = sum(np.sin(2 * np.pi * each * at_s) for each in hz) * (at_s < on_s)
    noise = np.random.default_rng(1).normal(0, 20, len(at_s))
    return speech.over_the_phone((level * wave + noise).astype(np.int16))


@pytest.mark.parametrize("hz", [425, 440, 850, 1000, 1400, 2000])
@pytest.mark.parametrize("lasts_s", [0.25, 0.5, 1.5])
def test_beeps(hz: float, lasts_s: float) -> None:
    """Of every kind that telephone companies use, over the phone's codec."""
    assert beeps(tone(hz, lasts_s=lasts_s)) == 1


@pytest.mark.parametrize(
    ("hz", "lasts_s", "level"),
    [
        ((440, 480), 2.0, 6000), ((350, 440), 1.0, 6000), ((770, 1336), 0.3, 6000),
        ((1000,), 0.06, 6000), ((1000,), 5.0, 6000), ((1000,), 0.5, 200),
    ],
    ids=["ring-back", "dial tone", "a key", "a click", "a test tone", "crosstalk"],
)  # fmt: skip
def test_no_beeps(hz: tuple[float, ...], lasts_s: float, level: float) -> None:
    """Two tones at once, too short, too long, too soft."""
    assert beeps(tone(*hz, lasts_s=lasts_s, level=level)) == 0


def test_voices_do_not_beep() -> None:
    """No vowel of the recordings is a tone for so long."""
    heard = [beeps(speech.over_the_phone(each.samples())) for each in speech.utterances()]
    assert sum(heard) == 0


def test_the_errand(agent_settings: AgentSettings) -> None:
    """What the metadata say is said; what they do not, the settings do; nonsense is nothing."""
    more = agent_settings.model_copy(update={"voicemail_message": "Please call us."})
    errand = Errand.of('{"outbound": {"purpose": "your order"}}', more)
    assert errand.message == "Please call us."
    assert errand.who_and_why("Harbor Dental") == (
        "This is Harbor Dental. I am calling about your order."
    )
    assert errand.first_words("Hi.", "Harbor Dental").startswith("Hello, this is Harbor Dental.")
    for text in ("", "a text", "[1]", '{"outbound": 7}'):
        assert Errand.of(text, agent_settings) == Errand()
    assert Errand().first_words("Hi.", "Harbor Dental") == "Hi."

"""What the first words of the other side are: a person's, a voicemail's, or call screening's.

A table of phrases and no language model (docs/decisions/voicemail.md): what decides can be read,
and a person who is hung up on is worse than a machine that is talked to.
"""

import re
from enum import Enum


class Said(Enum):
    """Whose words they are."""

    NOTHING = "nothing"
    PERSON = "person"
    VOICEMAIL = "voicemail"
    LIKELY = "likely a voicemail"  # unless more is said that tells otherwise
    SCREENING = "screening"
    HOLD = "hold"  # the assistant asks us to wait


# One of these is enough. People ask whether one would *like to* leave a message, or *take* one.
STRONG = (
    r"(?<!like to )(?<!want to )(?<!care to )(?<!could )(?<!rather )"
    r"leav(?:e|ing) (?:\w+ ){0,5}(?:messages?|name|number|(?:voice|noise) ?mail)",
    # And what Whisper hears in tone and beep.
    r"(?:after|at|following|wait for|hear|sound of) (?:the|a|this) "
    r"(?:\w+ )?(?:tone|b[lr]?eep|signal|(?:tom|tomb|tome|cones?|beat|beef)\b)",
    r"\b(?:tone|beep)\b.{0,40}\b(?:message|record)",
    r"\bvoice ?mail(?:s|box)?\b(?! (?:me|him|her|them)\b)",
    r"\bvoice messag",
    r"\bmail ?box\b",
    r"\banswering (?:machine|service)",
    r"\brecord (?:your|a|the) (?:\w+ )?message",
    r"\bfinished recording|\bwhen you(?:'re| are) (?:finished|done),",
    r"\b(?:person|party|number|customer|subscriber|user)(?: that)? "
    r"you(?:'re| are| were|'ve| have)? (?:just )?(?:trying to |attempting to )?"
    r"(?:reach|call|dial)\w*.{0,30}\b(?:not|un|can|busy|forwarded)",
    r"\bforwarded to (?:an?|the) (?:\w+ )?(?:voice|auto)",
    r"\bpress (?:\w+ )?(?:pound|hash|star|one|1)\b"
    r".{0,60}\b(?:options|recording|message|re ?record)",
    r"\bhang up (?:now )?(?:or|when) |\byou know (?:the drill|what to do)\b",
    # German, as Whisper writes it.
    r"\bnachricht.{0,40}\b(?:hinterlass|signalton|piep|ton\b)",
    r"\bnach dem (?:signal|piep|ton)",
    r"\banrufbeantworter|\bsprachnachricht",
    r"\bhinterlass\w+ (?:\w+ ){0,4}nachricht",
    r"\bder gewünschte (?:gesprächspartner|teilnehmer)|\bnicht zu erreichen",
)
# Two of these are.
WEAK = (
    r"\byou(?:'ve| have)? (?:just )?reached\b",
    r"\b(?:can't|cannot|can not|couldn't|could not|unable to|not able to) "
    r"(?:\w+ )?(?:come|take|answer|get|pick|reach)\b",
    r"\b(?:not|n't) (?:\w+ )?(?:available|here|around|home|in the office)\b"
    r"|\bunavailable\b|\bno one is\b",
    r"\b(?:get|got|be) back (?:to|in touch)|\breturn (?:your|all) (?:phone )?calls?\b"
    r"|\bcall(?:ing)? you (?:right )?back\b|\bback to you\b",
    r"\bmissed your call\b|\bsorry (?:\w+ ){0,2}miss",
    r"\bthank(?:s| you) for (?:calling|your call)\b|\byour call is\b",
    r"\baway from\b|\bout of (?:the )?office\b|\bon (?:vacation|holiday)\b|\bon the other line\b",
    r"\bas soon as (?:possible|i can|we can|i'm able)"
    r"|\bat this time\b|\bat the moment\b|\bright now\b",
    r"\b(?:name|number) and (?:\w+ ){0,3}(?:number|message|name)\b|\bbrief message\b",
    r"\boffice (?:hours|is closed)|\bcurrently closed|\bbusiness hours",
    r"\bnicht erreichbar\b|\bzurzeit nicht|\brufen? (?:\w+ ){0,3}zurück",
)
# Google's and Samsung's assistants, and that of iOS 26, which asks to record name and reason.
SCREENING = (
    r"\bscreen(?:ing|s|ed)?\b.{0,30}\b(?:call|service|assistant|google)|\bcall screen",
    r"\b(?:say|state|record|tell me|give|provide|leave|with) your name\b"
    r".{0,20}\b(?:why|reason|purpose|what)",
    # Whatever was understood of the verb; a secretary who asks so gets the same answer.
    r"\byour name,? and (?:\w+ ){0,4}(?:why|reason|purpose|what (?:this|the|your)|for calling)",
    r"\b(?:why|reason|purpose)\b.{0,25}\b(?:you'?re|you are|for (?:the |your )?)call"
    r".{0,60}\b(?:name|available)",
    r"\bsee if (?:\w+ ){1,3}(?:is|are|'s) available\b|\bif this person is available",
    r"\b(?:virtual|digital|personal|google|call) assistant\b|\bcopy of this conversation\b",
    r"\bbixby\b|\btext call\b",
)
# People talk of voicemails and messages too, and no machine asks who is there.
PEOPLE = (
    r"\b(?:got|heard|received|listened to|missed|checked) (?:your|my) "
    r"(?:\w+ )?(?:voice ?mail|messages?)\b",
    r"\bdid you (?:\w+ )?(?:leave|call|record)\b|\bmissed call\b|\bcaught me\b",
    r"\bmy (?:voice ?mail|mail ?box)(?:'s| is| was) ",
    r"\bwho(?:'s| is| am i) (?:this|that|there|calling|speaking|talking)\b",
    r"\bwhat(?:'s| is) (?:up|going on|(?:this|it) about)\b|\bwhat (?:were|are) you calling about\b",
    r"\bi can take a (?:\w+ )?message\b|\bno,? wait\b",
)
HOLD = (
    r"\bstay on the line\b|\b(?:please|and) (?:hold|wait)\b|\bhold (?:on|the line)\b",
    r"\bone moment\b|\bconnect(?:ing)? you\b|\btry(?:ing)? to (?:reach|connect)",
    r"\blet (?:them|him|her) know\b",
    r"\b(?:call|person) (?:is|isn't|is not|can't) (?:\w+ )?(?:being|avail)",
    r"^\W*(?:ok|okay|thanks|thank you|got it|great)\W*$",
)


def _any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{each})" for each in patterns))


_STRONG, _SCREENING, _PEOPLE, _HOLD = map(_any, (STRONG, SCREENING, PEOPLE, HOLD))
_BEEP = re.compile(r"\b(?:after|at) (?:the|a) (?:\w+ )?(?:tone|beep)")
# Whoever asks is a person: "He is not here right now. Can I take a message?"
_ASKS = re.compile(r"\b(?:can|may|could|shall|should) i (?:\w+ )?(?:take|help|ask|have|give)\b")
_WEAK = tuple(re.compile(each) for each in WEAK)
# People in the midst of a talk say one or the other; two thirds of a sentence must be a greeting's.
WEAK_ENOUGH = 2


def judge(text: str, *, talking: bool = False) -> Said:
    """Say whose words these are; `talking`: we took it for a person already, be surer."""
    plain = normal(text)
    if not plain:
        return Said.NOTHING
    strong = bool(_STRONG.search(plain))
    if _PEOPLE.search(plain) and not _BEEP.search(plain) and not _SCREENING.search(plain):
        return Said.PERSON
    if _SCREENING.search(plain) and not (strong and "screen" not in plain):
        return Said.SCREENING
    if strong:
        return Said.VOICEMAIL
    weak = sum(bool(each.search(plain)) for each in _WEAK)
    if weak >= WEAK_ENOUGH and not talking and not _ASKS.search(plain):
        return Said.LIKELY
    return Said.HOLD if _HOLD.search(plain) else Said.PERSON


def normal(text: str) -> str:
    """Lower case, plain apostrophes, single spaces."""
    return re.sub(r"\s+", " ", text.lower().replace("’", "'").replace("-", " ")).strip()

"""How much of what goes wrong elsewhere is put in here: rows of the fault catalogue, and pairs.

Upstream's threads and sources name some ninety faults (F-01 to F-115 in the design notes). Each of
these is made in a test that expects the code beside it, and no other.
"""

from tests.diagnosis import test_outside, test_stack, test_ways
from tests.diagnosis.test_lab import CLOSED_INSIDE, CLOSED_OUTSIDE

CATALOGUE = {
    "F-01 name missing": "DNS001", "F-01 name elsewhere": "DNS002", "F-02 dead AAAA": "DNS003",
    "F-03 port 443 taken": "TLS001", "F-03 port taken": "PRT001", "F-03 expired": "TLS002",
    "F-03 not renewed": "TLS006", "F-04 unknown authority": "TLS005", "F-07 upgrade": "WEB003",
    "F-09 relay's name not routed": "RLY008", "F-10 other secret": "SRV002", "F-11 clock": "CLK001",
    "F-13 bad settings": "SET001", "F-14 devkey": "SRV006", "F-15 no Redis": "SRV005",
    "F-15 Redis password": "RED002", "F-16 Redis away": "RED001", "F-20 UDP, host": "FWL001",
    "F-20 UDP, cloud": "FWL002", "F-20 UDP, seen inside": "ICE004", "F-20 seen outside": "OUT003",
    "F-21 container's address": "ICE002", "F-23 wrong address": "ICE003", "F-26 none": "ICE001",
    "F-28 TCP closed": "ICE005", "F-28 seen outside": "OUT004", "F-30 relay refuses": "RLY004",
    "F-31 relay's end": "RLY005", "F-32 relay not named": "RLY001", "F-34 loopback": "RLY007",
    "F-39 open rule": "LIN004", "F-40 SIP closed": "OUT001", "F-40 seen inside": "SIP001",
    "F-42 no rule": "LIN006", "F-42 trunk lost": "LIN001", "F-44 number differs": "LIN002",
    "F-45 source": "LIN007", "F-46 conflict": "LIN003", "F-47 digest": "LIN008",
    "F-49 no codec": "MED002", "F-53 sip away": "PRC003", "F-53 sip frozen": "PRC004",
    "F-60 RTP in closed": "MED004", "F-60 RTP out closed": "MED003", "F-62 private SDP": "MED007",
    "F-63 both closed": "MED005", "F-65 payload": "MED010", "F-83 worker's name": "WRK003",
    "F-85 busy": "WRK004", "F-87 second worker": "WRK005", "F-89 agent unknown": "WRK006",
    "F-100 weights": "SET008", "F-101 model unreachable": "LLM001", "F-103 ears slow": "STT002",
    "F-104 slow model": "LLM004", "F-104 hanging model": "LLM003", "F-105 voice empty": "TTS006",
    "F-105 voice silent": "TTS009", "F-107 rate": "TTS010", "F-107 noise": "TTS011",
}  # fmt: skip


def injected() -> set[str]:
    """Codes that tests expect of a fault that they really make."""
    tables = (
        test_stack.FAULTS, test_stack.CALLS, test_stack.PAST, test_ways.WORLDS,
        test_outside.OUTSIDE, test_outside.MERGED, CLOSED_INSIDE, CLOSED_OUTSIDE,
    )  # fmt: skip
    return {code.split()[0] for table in tables for row in table for code in row[-1]}


def test_sixty_rows_are_made_and_named() -> None:
    """Each by a code that a real fault brings about somewhere in these tests."""
    assert len(CATALOGUE) >= 60
    assert set(CATALOGUE.values()) - injected() == set()


def test_fifteen_pairs_are_made_and_named() -> None:
    """Of faults that do not follow from each other."""
    assert len(test_stack.PAIRS) + len(test_ways.PAIRS) >= 15

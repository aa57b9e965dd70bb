"""docs/softphone.md beside what it repeats."""

import re
from pathlib import Path

from voicestack.diagnosis import causes

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs/softphone.md").read_text()


def test_every_code_is_one_that_sanity_check_prints() -> None:
    """Whoever looks a code up finds it."""
    known = set(causes.BY_CODE)
    assert set(re.findall(r"`([A-Z]{3}[0-9]{3})`", TEXT)) <= known


def test_it_repeats_the_configuration() -> None:
    """Eight seconds, two minutes, ten tries, five minutes; the answers by their words."""
    config = (ROOT / "registrar/kamailio.cfg.j2").read_text()
    for setting in ("t_set_fr(8000)", '"max_expires", 120', "define TRIES 10", "autoexpire=300"):
        assert setting in config
    for phrase in ("Call as yourself", "Not registered", "wrong password from"):
        assert phrase in config
        assert phrase in TEXT

"""What a firewall does to a call: a real one, in a network of our own."""

from collections.abc import Iterator, Sequence

import pytest

from tests.diagnosis import lab
from tests.diagnosis.lab import Lab
from voicestack import ports

pytestmark = [pytest.mark.calls]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab.stack(tmp_path_factory.mktemp("lab")) as made:
        yield made


TABLE = ports.Ports({})
RTP = TABLE.range("sip_rtp")
SPAN = f"{RTP.start}-{RTP.stop - 1}"
RULES = {
    "to the gateway": f"udp dport {SPAN} drop",
    "from the gateway": f"udp sport {SPAN} drop",
    "sip": f"udp dport {TABLE['sip']} drop",
    "page": f"tcp dport {TABLE['https']} drop",
}


CLOSED_INSIDE: Sequence[tuple[tuple[str, ...], list[str]]] = [
    ((), []),
    (("from the gateway",), ["MED003"]),
    (("to the gateway",), ["MED004"]),
    (("from the gateway", "to the gateway"), ["MED005"]),
    (("sip",), ["SIP001"]),
]
CLOSED_OUTSIDE: Sequence[tuple[tuple[str, ...], list[str]]] = [
    ((), []),
    (("sip",), ["OUT001"]),
    (("page",), ["OUT002"]),
]


@pytest.mark.parametrize(("dropped", "expected"), CLOSED_INSIDE)
def test_a_firewall_is_named_by_its_direction(
    network: Lab, dropped: tuple[str, ...], expected: list[str]
) -> None:
    """One-way audio is told apart by the counters of both ends."""
    with network.firewall(*(RULES[name] for name in dropped)):
        report = network.diagnose()
    assert [finding["code"] for finding in report["findings"]] == expected
    assert report["took_s"] < 90
    if not expected:
        assert report["healthy"], report


@pytest.mark.parametrize(("dropped", "expected"), CLOSED_OUTSIDE)
def test_another_machine_tells_what_it_reaches(
    network: Lab, dropped: tuple[str, ...], expected: list[str]
) -> None:
    """From the phone's machine: with a call where that is possible."""
    with network.firewall(*(RULES[name] for name in dropped)):
        report = network.diagnose(from_outside=True)
    assert [finding["code"] for finding in report["findings"]] == expected
    if not expected:
        assert report["healthy"], report

"""What a firewall does to a call: a real one, in a network of our own."""

from collections.abc import Iterator

import pytest

from tests.diagnosis import lab
from tests.diagnosis.lab import Lab
from voicestack import ports

pytestmark = [pytest.mark.calls]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab.stack(tmp_path_factory.mktemp("lab")) as made:
        yield made


@pytest.fixture
def table(network: Lab) -> ports.Ports:
    return ports.at_base(int(network.environment["STACK_PORT_BASE"]))


def rules(table: ports.Ports, *names: str) -> list[str]:
    """Rules by name: what they drop."""
    rtp = table.range("sip_rtp")
    span = f"{rtp.start}-{rtp.stop - 1}"
    known = {
        "to the gateway": f"udp dport {span} drop",
        "from the gateway": f"udp sport {span} drop",
        "sip": f"udp dport {table['sip']} drop",
    }
    return [known[name] for name in names]


@pytest.mark.parametrize(
    ("dropped", "expected"),
    [
        ((), []),
        (("from the gateway",), ["MED003"]),
        (("to the gateway",), ["MED004"]),
        (("from the gateway", "to the gateway"), ["MED005"]),
        (("sip",), ["SIP001"]),
    ],
)
def test_a_firewall_is_named_by_its_direction(
    network: Lab, table: ports.Ports, dropped: tuple[str, ...], expected: list[str]
) -> None:
    """One-way audio is told apart by the counters of both ends."""
    with network.firewall(*rules(table, *dropped)):
        report = network.diagnose()
    assert [finding["code"] for finding in report["findings"]] == expected
    assert report["took_s"] < 60
    if not expected:
        assert report["healthy"], report

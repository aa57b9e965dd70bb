"""Network: which address is ours, and which networks are the LAN."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from voicestack import network

HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"


def machine(*interfaces: tuple[str, str], default: str | None = "eth0") -> network.Machine:
    found = tuple(network.Interface(name, IPv4Interface(text)) for name, text in interfaces)
    return network.Machine(found, default, 1024)


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        ("", None),
        ("eth0\t0007A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", None),
        ("eth0\t00000000\t0107A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n", "eth0"),
        # A tunnel has no gateway; the lowest metric wins.
        (
            "wlan0\t00000000\t0107A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
            "tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0\n",
            "tun0",
        ),
        ("lo\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n", None),  # a refusal
        ("lo\t00000000\t00000000\t0000\t0\t0\t0\t00000000\t0\t0\t0\n", None),  # down
        ("tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n", None),  # 0.0.0.0/1
    ],
)
def test_the_way_out(rows: str, name: str | None) -> None:
    """The default route that is up and has the lowest metric."""
    assert network.default_interface(HEAD + rows) == name


def test_the_lan_is_private_and_ours() -> None:
    """Containers, virtual machines, loopback, link-local and public networks are no LAN."""
    here = machine(
        ("lo", "127.0.0.1/8"),
        ("eth0", "192.168.7.20/24"),
        ("wlan0", "10.1.2.3/16"),
        ("eth1", "9.9.9.9/24"),
        ("eth2", "169.254.7.7/16"),
        ("docker0", "172.17.0.1/16"),
        ("br-0f3", "172.18.0.1/16"),
        ("veth12", "172.19.0.1/16"),
        ("virbr0", "192.168.122.1/24"),
    )
    assert network.lan_networks(here) == (
        IPv4Network("10.1.0.0/16"),
        IPv4Network("192.168.7.0/24"),
    )


def test_this_machine_is_each_of_its_addresses() -> None:
    """Who calls one of our own addresses comes from that address."""
    here = machine(("lo", "127.0.0.1/8"), ("eth0", "192.168.7.20/24"), ("docker0", "172.17.0.1/16"))
    assert [str(each) for each in network.own_networks(here)] == [
        "127.0.0.0/9",
        "172.17.0.1/32",
        "192.168.7.20/32",
    ]


def test_the_address_is_that_of_the_way_out() -> None:
    """Not the first interface, but the one that leads out."""
    here = machine(("docker0", "172.17.0.1/16"), ("eth0", "192.168.7.20/24"))
    assert here.node_ip == IPv4Address("192.168.7.20")
    assert machine(("eth1", "10.0.0.1/8")).node_ip == network.LOOPBACK


def test_this_machine_can_be_looked_at() -> None:
    """Whatever runs the tests has a loopback interface."""
    assert network.LOOPBACK in network.look().addresses

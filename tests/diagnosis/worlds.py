"""Worlds for browsers: each breaks one thing between them and the media server, and mends it.

`with blocked("udp dport 7882")(served), …`: they combine.
"""

import contextlib
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.calls import world
from tests.diagnosis import impairment
from tests.diagnosis import stun_server as stun_server_
from tests.diagnosis.impairment import OWN_PORTS
from tests.diagnosis.lab import (
    DOMAIN,
    ETC,
    HOME_ADDRESS,
    PHONE_ADDRESS,
    STACK_ADDRESS,
    TURN_DOMAIN,
)
from tests.diagnosis.servers import Served

World = Callable[[Served], contextlib.AbstractContextManager[None]]
HTTPS = 443
STUN = 3478


def blocked(*rules: str) -> World:
    """A firewall on the stack's machine drops what these matches of nftables say."""
    return lambda served: served.lab.firewall(*(f"{rule} drop" for rule in rules))


def livekit(pattern: str, text: str) -> World:
    """livekit.yaml with something else where this pattern is."""
    return edited("livekit.yaml", "livekit", pattern, text)


def caddy(pattern: str, text: str) -> World:
    """The Caddyfile likewise."""
    return edited("Caddyfile", "caddy", pattern, text)


def edited(name: str, service: str, pattern: str, text: str) -> World:
    """A configuration with something else where this pattern is; its server started with it."""
    change = lambda before: re.sub(pattern, text, before, flags=re.DOTALL)  # noqa: E731
    return lambda served: served.edited(name, service, change)


def hosts(**names: str) -> World:
    """What the stack's machine believes of names: `NAME="address address"`, empty for none."""

    @contextlib.contextmanager
    def broken(served: Served) -> Iterator[None]:
        path = ETC / served.lab.name / "hosts"
        before = path.read_text()
        known = {"DOMAIN": DOMAIN, "TURN_DOMAIN": TURN_DOMAIN}
        told = {"DOMAIN": STACK_ADDRESS, "TURN_DOMAIN": STACK_ADDRESS} | names
        lines = [
            f"{address} {known[key]}" for key, text in told.items() for address in text.split()
        ]
        # In place: each doctor has this very file mounted over /etc/hosts.
        path.write_text("\n".join(["127.0.0.1 localhost", *lines]) + "\n")
        try:
            yield
        finally:
            path.write_text(before)

    return broken


@contextlib.contextmanager
def stopped(served: Served, name: str) -> Iterator[None]:
    """One server is not there."""
    served.stop(name)
    try:
        yield
    finally:
        served.start(name)


def without(name: str) -> World:
    """One server is not there."""
    return lambda served: stopped(served, name)


def instead_of(name: str, port: int, module: str = "http.server") -> World:
    """A web server of somebody else has the server's place."""

    @contextlib.contextmanager
    def broken(served: Served) -> Iterator[None]:
        with stopped(served, name):
            stranger = subprocess.Popen(
                ["ip", "netns", "exec", served.lab.name, sys.executable, "-m", module, str(port)],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ETC,
                env={"PYTHONPATH": str(world.ROOT)},
            )  # fmt: skip
            try:
                served.until_listening(port)
                yield
            finally:
                stranger.kill()
                stranger.wait()

    return broken


def frozen(name: str) -> World:
    """A server takes connections and does nothing."""

    @contextlib.contextmanager
    def broken(served: Served) -> Iterator[None]:
        served.running[name].send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            served.running[name].send_signal(signal.SIGCONT)

    return broken


def set_to(**values: str) -> World:
    """.env says something else than when the servers were started."""

    @contextlib.contextmanager
    def broken(served: Served) -> Iterator[None]:
        before = served.environ
        served.environ = before | values
        try:
            yield
        finally:
            served.environ = before

    return broken


def both(one: World, other: World) -> World:
    """Two changes that make one fault only together."""

    @contextlib.contextmanager
    def broken(served: Served) -> Iterator[None]:
        with one(served), other(served):
            yield

    return broken


@contextlib.contextmanager
def new_authority(served: Served) -> Iterator[None]:
    """Caddy goes on with its old certificates; what browsers trust was made anew."""
    root = served.folder / "state/caddy/pki/authorities/local/root.crt"
    aside = root.with_suffix(".aside")
    shutil.copy(root, aside)
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=another"]
    where = ["-keyout", str(served.folder / "another.key"), "-out", str(root), "-days", "2"]
    subprocess.run([*made, *where], check=True, capture_output=True)
    try:
        yield
    finally:
        aside.replace(root)


def certificate(served: Served, name: str, days: tuple[int, int]) -> tuple[Path, Path]:
    """A certificate of Caddy's own authority, for days from today on."""
    from tests.diagnosis.certificates import signed_by

    pki = served.folder / "state/caddy/pki/authorities/local"
    return signed_by(pki, served.folder, name, days)


def page_certificate(name: str, days: tuple[int, int]) -> World:
    """The page under DOMAIN shows this certificate instead of Caddy's own."""

    @contextlib.contextmanager
    def broken(served: Served) -> Iterator[None]:
        cert, key = certificate(served, name, days)
        site = rf"(https://{re.escape(DOMAIN)}:443 {{\n)"
        with caddy(site, rf"\1\ttls {cert} {key}\n")(served):
            yield

    return broken


@contextlib.contextmanager
def nothing(_: Served) -> Iterator[None]:
    """All is well."""
    yield


def blocked_before(*rules: str) -> World:
    """A firewall in front of the stack's machine: packets end on their way to it."""
    return lambda served: served.lab.firewall(
        *(f"{rule} drop" for rule in rules), where=served.lab.outside, hook="output"
    )


def blocked_behind(*rules: str) -> World:
    """A firewall on the way back: answers end before they arrive."""
    return lambda served: served.lab.firewall(
        *(f"{rule} drop" for rule in rules), where=served.lab.outside
    )


@contextlib.contextmanager
def called_elsewhere(served: Served) -> Iterator[None]:
    """Elsewhere the name of the page leads to a machine on which nothing listens."""
    path = ETC / served.lab.outside / "hosts"
    before = path.read_text()
    path.write_text(f"127.0.0.1 localhost\n{PHONE_ADDRESS} {DOMAIN} {TURN_DOMAIN}\n")
    try:
        yield
    finally:
        path.write_text(before)


def bad_line(port: int, *, lost: int, of: int, delay_ms: int = 0, jitter_ms: int = 0) -> World:
    """From the other machine to one UDP port: packets lost, late, uneven."""

    @contextlib.contextmanager
    def broken(served: Served) -> Iterator[None]:
        outside, own = served.lab.outside, OWN_PORTS.start - 1
        numbers = (own, STACK_ADDRESS, port, lost, of, delay_ms, jitter_ms)
        relay = subprocess.Popen(
            ["ip", "netns", "exec", outside, sys.executable, "-m", impairment.__name__,
             *map(str, numbers)],
            stdout=subprocess.PIPE, cwd=world.ROOT,
        )  # fmt: skip
        try:
            assert relay.stdout
            assert relay.stdout.readline() == b"ready\n"
            ours = f"{OWN_PORTS.start}-{OWN_PORTS.stop}"
            rule = f"udp dport {port} udp sport != {ours} dnat ip to {PHONE_ADDRESS}:{own}"
            with served.lab.nat("output", "-100", rule, where=outside):
                yield
        finally:
            relay.kill()
            relay.wait()

    return broken


def stun_server(told: str = "") -> World:
    """On the other machine a STUN server that tells everybody this address, or the right one."""

    @contextlib.contextmanager
    def broken(served: Served) -> Iterator[None]:
        server = subprocess.Popen(
            ["ip", "netns", "exec", served.lab.outside, sys.executable, "-m",
             stun_server_.__name__, str(STUN), *told.split()],
            stdout=subprocess.PIPE, cwd=world.ROOT,
        )  # fmt: skip
        try:
            assert server.stdout
            assert server.stdout.readline() == b"ready\n"
            yield
        finally:
            server.kill()
            server.wait()

    return broken


def by_stun(told: str = "", more: str = "") -> World:
    """livekit-server asks the other machine for its own address, whatever NODE_IP says."""
    asks = f'use_external_ip: true\n  stun_servers: ["{PHONE_ADDRESS}:{STUN}"]{more}'
    return both(stun_server(told), livekit("use_external_ip: false", asks))


@contextlib.contextmanager
def other_relay(served: Served) -> Iterator[None]:
    """Packets to the relay's port come to the relay of somebody else, who knows no user of ours."""
    with (
        stun_server()(served),
        served.lab.nat("output", "-100", f"udp dport {STUN} dnat ip to {PHONE_ADDRESS}",
                       where=served.lab.name),
    ):  # fmt: skip
        yield


# What a home router does: one port for all the world, open to all of it; or a new one each time.
FULL_CONE, SYMMETRIC = "full cone", "symmetric"


def behind_nat(kind: str) -> World:
    """A third machine, `home`, whose way to the stack's leads through NAT on the other one."""

    @contextlib.contextmanager
    def broken(served: Served) -> Iterator[None]:
        with served.lab.home(), contextlib.ExitStack() as rules:
            outside = served.lab.outside
            out = "masquerade fully-random" if kind == SYMMETRIC else f"snat ip to {PHONE_ADDRESS}"
            source = f"ip saddr {HOME_ADDRESS} oifname lan0 {out}"
            rules.enter_context(served.lab.nat("postrouting", "100", source, where=outside))
            if kind == FULL_CONE:
                back = f"iifname lan0 udp dport != 53 dnat ip to {HOME_ADDRESS}"
                rules.enter_context(served.lab.nat("prerouting", "-100", back, where=outside))
            yield

    return broken

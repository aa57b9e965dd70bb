"""DNS: do DOMAIN and TURN_DOMAIN lead to this stack."""

import asyncio
import contextlib
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from voicestack.diagnosis.model import Check, Context, Finding, Unknown, Verdict

LEG = "DNS"
# glibc gives up after ten seconds and more (resolv.conf(5)); a browser's user earlier.
TIMEOUT_S, CONNECT_S = 2.5, 1.0


@dataclass(frozen=True, slots=True)
class Name:
    """What a name leads to, as this machine sees it. `addresses` None: nobody answered in time."""

    name: str
    setting: str  # DOMAIN or TURN_DOMAIN
    addresses: tuple[str, ...] | None
    dead_v6: tuple[str, ...] = ()  # addresses of IPv6 at which nobody takes a connection


@dataclass(frozen=True, slots=True)
class Facts:
    """Both names, and where they should lead."""

    expected: str
    names: tuple[Name, ...]


async def look(context: Context) -> Facts:
    """Ask as programs on this machine do."""
    conf = context.settings
    wanted = {"DOMAIN": conf.domain, "TURN_DOMAIN": conf.turn_domain}
    found = await asyncio.gather(*(
        _look_up(name, setting, context.ports["https"]) for setting, name in wanted.items() if name
    ))  # fmt: skip
    return Facts(str(conf.node_ip), tuple(found))


async def _look_up(name: str, setting: str, port: int) -> Name:
    addresses = await resolve(name)
    sixes = [each for each in addresses or () if is_v6(each)]
    dead = [each for each in sixes if not await _answers(each, port)]
    return Name(name, setting, addresses, tuple(dead))


async def resolve(name: str) -> tuple[str, ...] | None:
    """Use a process of its own: getaddrinfo(3) takes as long as it likes and cannot be stopped."""
    process = await asyncio.create_subprocess_exec(
        "getent", "ahosts", name, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            said, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    lines = said.decode(errors="replace").splitlines()
    return tuple(dict.fromkeys(line.split()[0] for line in lines if line.split()))


def is_v6(text: str) -> bool:
    """True for an address of IPv6."""
    try:
        IPv6Address(text.partition("%")[0])
    except AddressValueError:
        return False
    return True


async def _answers(address: str, port: int) -> bool:
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def judge(facts: Facts) -> Verdict:
    """Each name by itself."""
    return [each for name in facts.names for each in judge_name(name, facts.expected)]


def judge_name(name: Name, expected: str) -> list[Finding | Unknown]:
    """Known, leading here, and here only."""
    if name.addresses is None:
        why = f"no DNS server answered for {name.name} within {TIMEOUT_S:g} s"
        return [Unknown(why, f"on another machine: getent ahosts {name.name}")]
    if not name.addresses:
        return [Finding("DNS001", f"{name.name} has no address", name.setting)]
    fours = [each for each in name.addresses if not is_v6(each)]
    if fours and all(IPv4Address(each).is_loopback for each in fours) and expected not in fours:
        # Debian writes the machine's own name into /etc/hosts as 127.0.1.1.
        why = f"/etc/hosts of this machine says {fours[0]} for {name.name}; others ask DNS"
        return [Unknown(why, f"on another machine: getent ahosts {name.name}")]
    if fours != [expected]:
        seen = (
            f"{name.name} leads to {', '.join(fours) or 'no IPv4 address'}, NODE_IP is {expected}"
        )
        return [Finding("DNS002", seen, name.setting)]
    if name.dead_v6:
        return [Finding("DNS003", f"{name.name}: {', '.join(name.dead_v6)}", name.setting)]
    return []


CHECKS = (Check("names", LEG, "DOMAIN, TURN_DOMAIN", look, judge, ("secrets",), limit_s=5.0),)

"""TLS on the HTTPS port, under every name that it serves: handshakes, verified."""

import asyncio
import functools
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from voicestack import network
from voicestack.diagnosis.model import Check, Context, Finding, Verdict
from voicestack.settings import Settings

LEG = "TLS"
TIMEOUT_S = 2.0
# OpenSSL's x509_vfy.h: what a refused certificate is refused for.
NOT_YET, EXPIRED, HOST, ADDRESS = 9, 10, 62, 64
STRANGERS = {2, 18, 19, 20, 21}
# Caddy renews when a third of the time is left (certmagic, DefaultRenewalWindowRatio).
LEAST_LEFT = 1 / 10


@dataclass(frozen=True, slots=True)
class Facts:
    """How one handshake ended."""

    spoke_tls: bool
    verify_code: int = 0  # 0: verified
    text: str = ""
    asked_for: str = ""
    left: float | None = None  # share of the certificate's time that is still to come
    subject: str = ""  # empty: the page under this machine's address


async def look(context: Context) -> tuple[Facts, ...]:
    """Shake hands under each name that browsers use."""
    conf = context.settings
    authority = authority_of(conf)
    await asyncio.to_thread(trusting, authority)
    host, address = "localhost", "127.0.0.1"
    machine = await asyncio.to_thread(network.look)
    if conf.listen == "lan" and conf.node_ip in machine.addresses:
        # An address is no name for SNI (RFC 6066 3): Caddy takes the certificate of the address
        # that was connected to, so connect to it. A public one behind NAT is out of reach here.
        host = address = str(conf.node_ip)
    names = {"": host, "page": conf.domain, "relay": conf.turn_domain}
    found = await asyncio.gather(*(
        shake_hands(address, context.ports["https"], name, authority, context.clock)
        for name in names.values() if name
    ))  # fmt: skip
    subjects = [subject for subject, name in names.items() if name]
    return tuple(
        replace(each, subject=subject) for subject, each in zip(subjects, found, strict=True)
    )


def authority_of(conf: Settings) -> Path:
    """Where Caddy keeps the certificate of its own authority."""
    return conf.state_dir / "caddy" / "pki/authorities/local/root.crt"


def trusting(authority: Path) -> ssl.SSLContext:
    """Trust the system's authorities and, where there is one, Caddy's own."""
    try:
        return _trusting(authority, authority.stat().st_mtime_ns)
    except FileNotFoundError:
        return _trusting(None, 0)


@functools.lru_cache(maxsize=4)
def _trusting(authority: Path | None, _changed_ns: int) -> ssl.SSLContext:
    """Made once: reading the system's 140 authorities takes 0.1 s."""
    checked = ssl.create_default_context()
    if authority is not None:
        checked.load_verify_locations(cafile=str(authority))
    return checked


async def shake_hands(
    address: str, port: int, host: str, authority: Path, clock: Callable[[], float] | None = None
) -> Facts:
    """Connect to the address, ask for the name, verify."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            _, writer = await asyncio.open_connection(
                address, port, ssl=trusting(authority), server_hostname=host
            )
        shown = writer.get_extra_info("peercert") or {}
        writer.close()
    except ssl.SSLCertVerificationError as error:
        return Facts(True, error.verify_code, error.verify_message, host)
    except (OSError, TimeoutError, EOFError) as error:  # ssl.SSLError is an OSError
        return Facts(False, text=f"{type(error).__name__}: {error}", asked_for=host)
    return Facts(True, asked_for=host, left=_left(shown, clock() if clock else None))


def _left(shown: dict[str, str], now_s: float | None) -> float | None:
    if now_s is None or "notAfter" not in shown:
        return None
    begins, ends = (ssl.cert_time_to_seconds(shown[key]) for key in ("notBefore", "notAfter"))
    return (ends - now_s) / max(1.0, ends - begins)


def judge(facts: tuple[Facts, ...]) -> Verdict:
    """One finding a certificate; what is wrong with the port is wrong under every name."""
    if facts and not facts[0].spoke_tls:
        return [Finding("TLS001", facts[0].text)]
    found = [finding for each in facts for finding in judge_one(each)]
    everywhere = len(facts) > 1 and len(found) == len(facts) and len({f.code for f in found}) == 1
    return [Finding(found[0].code, found[0].seen)] if everywhere else found


def judge_one(facts: Facts) -> list[Finding]:
    """A certificate is refused for one thing at a time."""
    if not facts.spoke_tls:
        return [Finding("TLS001", f"{facts.asked_for}: {facts.text}", facts.subject)]
    if facts.verify_code:
        codes = {EXPIRED: "TLS002", NOT_YET: "TLS003", HOST: "TLS004", ADDRESS: "TLS004"}
        codes |= dict.fromkeys(STRANGERS, "TLS005")
        code = codes.get(facts.verify_code, "TLS099")
        detail = f" (OpenSSL {facts.verify_code})" if code == "TLS099" else ""
        return [Finding(code, f"{facts.text}, asked for {facts.asked_for}{detail}", facts.subject)]
    if facts.left is not None and facts.left < LEAST_LEFT:
        seen = f"{facts.left:.0%} of its time is left, asked for {facts.asked_for}"
        return [Finding("TLS006", seen, facts.subject)]
    return []


CHECKS = (
    Check(
        "tls", LEG, "TLS of page and relay", look, judge, ("config:Caddyfile", "processes:caddy"),
        limit_s=5.0,
    ),
)  # fmt: skip

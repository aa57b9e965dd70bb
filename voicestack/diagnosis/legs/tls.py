"""TLS on the HTTPS port: a handshake, verified with the authority that Caddy made."""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from pathlib import Path

from voicestack import network
from voicestack.diagnosis.model import Check, Context, Finding, Verdict

LEG = "TLS"
TIMEOUT_S = 2.0
# OpenSSL's x509_vfy.h: what a refused certificate is refused for.
NOT_YET, EXPIRED, HOST, ADDRESS = 9, 10, 62, 64
STRANGERS = {2, 18, 19, 20, 21}


@dataclass(frozen=True, slots=True)
class Facts:
    """How the handshake ended."""

    spoke_tls: bool
    verify_code: int = 0  # 0: verified
    text: str = ""
    asked_for: str = ""


async def look(context: Context) -> Facts:
    """Shake hands under the name that browsers use."""
    authority = context.settings.state_dir / "caddy" / "pki/authorities/local/root.crt"
    host, address = "localhost", "127.0.0.1"
    machine = await asyncio.to_thread(network.look)
    if context.settings.listen == "lan" and context.settings.node_ip in machine.addresses:
        # An address is no name for SNI (RFC 6066 3): Caddy takes the certificate of the address
        # that was connected to, so connect to it. A public one behind NAT is out of reach here.
        host = address = str(context.settings.node_ip)
    return await shake_hands(address, context.ports["https"], host, authority)


async def shake_hands(address: str, port: int, host: str, authority: Path) -> Facts:
    """Verify with the system's authorities and, where there is one, with Caddy's own."""
    checked = ssl.create_default_context()
    with contextlib.suppress(FileNotFoundError):
        checked.load_verify_locations(cafile=str(authority))
    try:
        async with asyncio.timeout(TIMEOUT_S):
            _, writer = await asyncio.open_connection(
                address, port, ssl=checked, server_hostname=host
            )
        writer.close()
    except ssl.SSLCertVerificationError as error:
        return Facts(True, error.verify_code, error.verify_message, host)
    except (OSError, TimeoutError, EOFError) as error:  # ssl.SSLError is an OSError
        return Facts(False, text=f"{type(error).__name__}: {error}", asked_for=host)
    return Facts(True, asked_for=host)


def judge(facts: Facts) -> Verdict:
    """One finding: a certificate is refused for one thing at a time."""
    if not facts.spoke_tls:
        return [Finding("TLS001", facts.text)]
    if not facts.verify_code:
        return []
    if facts.verify_code == EXPIRED:
        return [Finding("TLS002", facts.text)]
    if facts.verify_code == NOT_YET:
        return [Finding("TLS003", facts.text)]
    if facts.verify_code in {HOST, ADDRESS}:
        return [Finding("TLS004", f"{facts.text} (asked for {facts.asked_for})")]
    if facts.verify_code in STRANGERS:
        return [Finding("TLS005", facts.text)]
    return [Finding("TLS099", f"{facts.text} (OpenSSL {facts.verify_code})")]


CHECKS = (
    Check("tls", LEG, "TLS of the page", look, judge, ("config:Caddyfile", "processes:caddy")),
)

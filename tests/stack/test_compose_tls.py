"""Every TLS port of the containers shows a certificate, and each renewed one: on the wire."""

import shutil

import pytest

from tests.calls.test_certificates import SHORT_LIVED, shown, until
from tests.stack.conftest import Kept
from tests.stack.world import World


@pytest.mark.long
def test_each_tls_port_shows_the_renewed_certificate(stack: World, public: Kept) -> None:
    """The page, the relay, SIP on 5061, checked from another host; only Caddy is ever restarted."""
    caddy, file = stack.volume("caddy-data"), stack.volume("caddy-config") / "Caddyfile"
    root, gateway = caddy / "pki/authorities/local/root.crt", stack.pid("sip")
    text = file.read_text()

    def others_than(before: list[str]) -> list[str]:
        def look() -> list[str] | None:
            now = shown(stack.machines, root)
            fresh = now and all(new != old for new, old in zip(now, before, strict=True))
            return now if fresh else None

        return until(look)

    first = until(lambda: shown(stack.machines, root))
    assert first[0] == first[2]  # SIP shows the page's
    try:
        file.write_text(text.replace("local_certs", SHORT_LIVED))
        shutil.rmtree(caddy / "certificates")
        stack.compose("restart", "caddy")
        second = others_than(first)
        third = others_than(second)  # renewed by Caddy itself, whose certificates live for seconds
    finally:
        file.write_text(text)
        stack.compose("restart", "caddy")
    assert second[0] == second[2]
    assert third[0] == third[2]
    assert stack.pid("sip") == gateway

"""Keys that livekit-sip would pass over are told before it starts."""

import re
from pathlib import Path

import pytest

from voicestack.native import sip_keys
from voicestack.native.sip_keys import ConfigurationError, check

ROOT = Path(__file__).resolve().parents[3]


def test_every_key_is_known() -> None:
    """Ours, and those of the TLS block."""
    check("sip.yaml", "sip_port: 5060\ntls: {port: 5061, certs: []}\nredis: {address: a}\n")


def test_unknown_keys_are_named_with_line_and_fix() -> None:
    """All of them at once: file, line, key, what was meant."""
    with pytest.raises(ConfigurationError) as raised:
        check("sip.yaml", "sip_port: 5060\nhide_inbound_ports: true\ntls:\n  prot: 5061\nfoo: 1\n")
    told = raised.value.report()
    assert "sip.yaml:2: hide_inbound_ports" in told
    assert "did you mean hide_inbound_port?" in told
    assert "sip.yaml:4: prot" in told
    assert "sip.yaml:5: foo" in told


def test_the_list_is_that_of_the_version_that_runs() -> None:
    """Another livekit-sip may know other keys: look at its pkg/config/config.go."""
    pinned = re.search(r"github.com/livekit/sip v(\S+)", (ROOT / "tools/go.mod").read_text())
    assert pinned is not None
    assert pinned[1] == sip_keys.VERSION

"""Which of Caddy's files are the SIP gateway's certificate."""

from pathlib import Path

import pytest

from voicestack import settings
from voicestack.native import certificates

CADDY = Path("/caddy")
PUBLIC = {"DOMAIN": "voice.example.org", "NODE_IP": "9.9.9.9", "ACME_EMAIL": "a@example.org"}
OURS = "https://CA.example.org:9443/acme/local/directory"


def found(tmp_path: Path, **environ: str) -> list[str]:
    held = settings.load(tmp_path, environ={"SIP_TLS": "on", **environ})
    return [str(each.relative_to("/caddy/certificates")) for each in of(held)]


def of(held: settings.Settings) -> tuple[Path, ...]:
    return certificates.of_sip(held, CADDY)


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({"LISTEN": "loopback"}, ["local/127.0.0.1/127.0.0.1"]),
        ({"NODE_IP": "9.9.9.9"}, ["local/9.9.9.9/9.9.9.9"]),
        ({**PUBLIC, "ACME_EMAIL": ""}, ["local/voice.example.org/voice.example.org"]),
        (
            PUBLIC,
            [
                "acme-v02.api.letsencrypt.org-directory/voice.example.org/voice.example.org",
                "acme.zerossl.com-v2-dv90/voice.example.org/voice.example.org",
            ],
        ),
        (
            {**PUBLIC, "ACME_DIRECTORY": OURS},
            ["ca.example.org-9443-acme-local-directory/voice.example.org/voice.example.org"],
        ),
    ],
)
def test_the_file_of_each_issuer(
    tmp_path: Path, environ: dict[str, str], wanted: list[str]
) -> None:
    """Own authority, Let's Encrypt and the one that Caddy asks after it, a company's own."""
    assert found(tmp_path, **environ) == wanted


def test_without_tls_there_is_none(tmp_path: Path) -> None:
    """SIP_TLS is off unless it is set."""
    assert of(settings.load(tmp_path, environ={"NODE_IP": "9.9.9.9"})) == ()

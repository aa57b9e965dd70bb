"""Where Caddy keeps the certificates that other servers use too."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from voicestack.settings import Settings

# Folders by issuer, as certmagic v0.25.6 names them (acmeissuer.go, issuerKey; storage.go, Safe).
OWN = "local"
# Caddy asks the second when the first does not answer.
PUBLIC = ("acme-v02.api.letsencrypt.org-directory", "acme.zerossl.com-v2-dv90")


def of_sip(settings: Settings, caddy: Path) -> tuple[Path, ...]:
    """Files, without their endings, one of which is the gateway's certificate; none without TLS."""
    if settings.sip_tls != "on":
        return ()
    name = settings.domain or str(settings.node_ip)
    issuers: tuple[str, ...] = (OWN,)
    if settings.acme_directory is not None:
        issuers = (issuer_of(str(settings.acme_directory)),)
    elif settings.acme_email is not None:
        issuers = PUBLIC
    return tuple(caddy / "certificates" / issuer / name / name for issuer in issuers)


def issuer_of(directory: str) -> str:
    """Name the folder of an ACME server."""
    url = urlsplit(directory)
    path = url.path.replace("/", "-").strip("-")
    key = f"{url.netloc}-{path}" if path else url.netloc
    return re.sub(r"[^\w@.-]", "", key.lower().replace(":", "-"))

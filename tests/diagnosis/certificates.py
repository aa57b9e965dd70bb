"""Certificates that are wrong in one thing: made by openssl, for tests."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

CONF = """
[ca]
default_ca = own
[own]
dir = .
database = ./index.txt
serial = ./serial
new_certs_dir = .
default_md = sha256
policy = any
x509_extensions = leaf
unique_subject = no
[any]
commonName = supplied
[leaf]
subjectAltName = DNS:{name}
{more}
[req]
distinguished_name = dn
[dn]
"""


def self_signed(folder: Path, name: str, days: tuple[int, int], more: str = "") -> Path:
    """Make a certificate that is its own authority; returns it, the key lies beside."""
    _request(folder, name, more)
    _sign(folder, days, "-selfsign", "-keyfile", "leaf.key")
    return folder / "leaf.pem"


def signed_by(pki: Path, folder: Path, name: str, days: tuple[int, int]) -> tuple[Path, Path]:
    """Make a certificate of an authority of Caddy's; returns its chain, and its key."""
    place = folder / f"certificate-{name}-{days[0]}-{days[1]}"
    place.mkdir(exist_ok=True)
    _request(place, name)
    authority = ("-cert", str(pki / "intermediate.crt"), "-keyfile", str(pki / "intermediate.key"))
    _sign(place, days, *authority)
    chain = place / "chain.pem"
    chain.write_text((place / "leaf.pem").read_text() + (pki / "intermediate.crt").read_text())
    return chain, place / "leaf.key"


def _request(folder: Path, name: str, more: str = "") -> None:
    (folder / "ca.conf").write_text(CONF.format(name=name, more=more))
    (folder / "index.txt").write_text("")
    (folder / "serial").write_text(f"{int(datetime.now(UTC).timestamp() * 1000):016X}")
    _openssl(folder, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
             "-keyout", "leaf.key", "-out", "leaf.csr")  # fmt: skip


def _sign(folder: Path, days: tuple[int, int], *authority: str) -> None:
    start, end = (
        (datetime.now(UTC) + timedelta(days=day)).strftime("%Y%m%d%H%M%SZ") for day in days
    )
    _openssl(folder, "ca", "-batch", *authority, "-in", "leaf.csr", "-startdate", start,
             "-enddate", end, "-notext", "-out", "leaf.pem")  # fmt: skip


def _openssl(folder: Path, command: str, *arguments: str) -> None:
    whole = ["openssl", command, "-config", "ca.conf", *arguments]
    done = subprocess.run(whole, check=False, capture_output=True, cwd=folder, text=True)
    assert done.returncode == 0, done.stderr

"""Render the servers' configuration from the templates, settings, ports and secrets."""

import io
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from ruamel.yaml import YAML

from voicestack import network
from voicestack.credentials import Credentials
from voicestack.host import private
from voicestack.lines.phones import REALM
from voicestack.native import certificates, sip_keys
from voicestack.native.paths import Paths
from voicestack.native.services import Service, supervisor_config
from voicestack.ports import Ports
from voicestack.registrar import table
from voicestack.settings import Settings

# Template in the checkout → file in the stack's config folder.
TEMPLATES = {
    "redis/redis.conf.j2": "redis.conf",
    "livekit/livekit.yaml.j2": "livekit.yaml",
    "sip/sip.yaml.j2": "sip.yaml",
    "caddy/Caddyfile.j2": "Caddyfile",
    "registrar/kamailio.cfg.j2": "kamailio.cfg",
}
# Rendered where a setting of the folder's name is on.
MEDIA_TEMPLATES = {
    "egress/egress.yaml.j2": "egress.yaml",
    "ingress/ingress.yaml.j2": "ingress.yaml",
}


def render_all(
    settings: Settings,
    ports: Ports,
    credentials: Credentials,
    paths: Paths,
    services: tuple[Service, ...],
) -> None:
    """Write every configuration file of the stack, each whole or not at all."""
    for files in server_files(settings, ports, credentials, paths).values():
        for name, text in files.items():
            write_private(paths.config / name, text)
    supervisor = io.StringIO()
    YAML(typ="safe").dump(supervisor_config(services, paths), supervisor)
    write_private(paths.supervisor_file, supervisor.getvalue())


def server_files(
    settings: Settings, ports: Ports, credentials: Credentials, paths: Paths
) -> dict[str, dict[str, str]]:
    """Return the text of every server's files by the server's name and the file's."""
    key_line = f"{credentials.livekit_api_key}: {credentials.livekit_api_secret}\n"
    files = {"livekit": {"livekit-keys.yaml": key_line}}
    values = template_values(settings, ports, credentials, paths)
    for template, target in (TEMPLATES | MEDIA_TEMPLATES).items():
        server = template.split("/", maxsplit=1)[0]
        if template in MEDIA_TEMPLATES and getattr(settings, server) != "on":
            continue
        files.setdefault(server, {})[target] = render(paths.root, template, values)
    sip_keys.check("sip.yaml", files["sip"]["sip.yaml"])
    return files


def template_values(
    settings: Settings, ports: Ports, credentials: Credentials, paths: Paths
) -> dict[str, Any]:
    """Everything that a template may name."""
    rtp = ports.range("sip_rtp")
    return {
        "ports": SimpleNamespace(**{key: ports[key] for key in ports}),
        "rtp_range": f"{rtp.start}-{rtp.stop - 1}",
        "node_ip": settings.node_ip,
        "domain": settings.domain,
        "acme_email": settings.acme_email,
        "acme_directory": settings.acme_directory,
        "turn_domain": settings.turn_domain,
        "own_ip": own_ip(settings),
        "turn_relay": ports.range("turn_relay"),
        "turn_denied": all_but(settings.node_ip),
        "ingress": settings.ingress == "on",
        "media_minutes": settings.egress_minutes,
        "loopback_only": settings.listen == "loopback",
        "log_level": settings.log_level.lower(),
        "api_key": credentials.livekit_api_key,
        "api_secret": credentials.livekit_api_secret,
        "redis_password": credentials.redis_password,
        "key_file": paths.config / "livekit-keys.yaml",
        "redis_dir": paths.state / "redis",
        "caddy_dir": paths.state / "caddy",
        "sip_certificates": certificates.of_sip(settings, paths.state / "caddy"),
        "registrar_ip": network.REGISTRAR,
        "registrar_realm": REALM,
        "registrar_dir": table.folder(settings),
    }


def own_ip(settings: Settings) -> IPv4Address:
    """Return NODE_IP, or what this machine calls itself behind one-to-one NAT."""
    machine = network.look()
    return settings.node_ip if settings.node_ip in machine.addresses else machine.node_ip


def all_but(address: IPv4Address) -> list[str]:
    """List networks that cover everything except one address."""
    rest = IPv4Network("0.0.0.0/0").address_exclude(IPv4Network(address))
    return [*map(str, sorted(rest)), "::/0"]


def render(root: Path, template: str, values: dict[str, Any]) -> str:
    """Fill one template; a name that is not there is an error, never an empty string."""
    environment = Environment(
        loader=FileSystemLoader(root),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - YAML and Caddyfile, not HTML
    )
    return environment.get_template(template).render(values)


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner can read."""
    private.put(path, text.encode())

"""The same rules for people, for Linux firewalls and for clouds."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from voicestack.firewall.rules import Rule

NAME = "voicestack"


def text(rules: Sequence[Rule]) -> str:
    """A table for people."""
    if not rules:
        return "nothing to open: LISTEN=loopback, or no line lets anybody call"
    rows = [("port", "protocol", "from", "what for")]
    rows += [(rule.span, rule.proto, _sources(rule, ", "), rule.why) for rule in rules]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]))
        for row in rows
    )


def as_json(rules: Sequence[Rule]) -> str:
    """For programs."""
    return json.dumps({"rules": [_plain(rule) for rule in rules]}, indent=1)


def ufw(rules: Sequence[Rule]) -> str:
    """Commands for ufw (Ubuntu); ranges are written with a colon."""
    return "\n".join(
        f"ufw allow proto {rule.proto} from {source} to any"
        f" port {rule.span.replace('-', ':')} comment '{NAME} {rule.key}'"
        for rule in rules
        for source in rule.sources
    )


def nft(rules: Sequence[Rule]) -> str:
    """A table of its own for `nft -f`: on our ports it drops who is not named."""
    accept = [
        f"    ip saddr {{ {_sources(rule, ', ')} }} {rule.proto} dport {rule.span} accept"
        for rule in rules
    ]
    drop = [f"    {rule.proto} dport {rule.span} drop" for rule in rules]
    inside = [
        "    type filter hook input priority -5; policy accept;",
        '    iifname "lo" accept',
        "    ct state established,related accept",
        *accept,
        *dict.fromkeys(drop),
    ]
    head = f"table inet {NAME}\ndelete table inet {NAME}\ntable inet {NAME} {{\n  chain input {{"
    return "\n".join([head, *inside, "  }", "}"])


def firewalld(rules: Sequence[Rule]) -> str:
    """Commands for firewalld (Fedora, RHEL)."""
    commands = [
        'firewall-cmd --permanent --add-rich-rule=\'rule family="ipv4"'
        f' source address="{source}" port port="{rule.span}" protocol="{rule.proto}" accept\''
        for rule in rules
        for source in rule.sources
    ]
    return "\n".join([*commands, "firewall-cmd --reload"])


def aws(rules: Sequence[Rule]) -> str:
    """A file for `aws ec2 authorize-security-group-ingress --ip-permissions file://…`."""
    return json.dumps(
        [
            {
                "IpProtocol": rule.proto,
                "FromPort": rule.first,
                "ToPort": rule.last,
                "IpRanges": [
                    {"CidrIp": str(source), "Description": f"{NAME} {rule.key}"}
                    for source in rule.sources
                ],
            }
            for rule in rules
        ],
        indent=1,
    )


def gcp(rules: Sequence[Rule]) -> str:
    """Commands for gcloud; names may hold no underscore."""
    return "\n".join(
        f"gcloud compute firewall-rules create {NAME}-{rule.key.replace('_', '-')}-{rule.proto}"
        f" --direction=INGRESS --allow={rule.proto}:{rule.span}"
        f" --source-ranges={_sources(rule, ',')} --target-tags={NAME}"
        for rule in rules
    )


def hetzner(rules: Sequence[Rule]) -> str:
    """A file for `hcloud firewall create --name voicestack --rules-file …`."""
    return json.dumps(
        [
            {
                "direction": "in",
                "protocol": rule.proto,
                "port": rule.span,
                "source_ips": [str(source) for source in rule.sources],
                "description": f"{NAME} {rule.key}",
            }
            for rule in rules
        ],
        indent=1,
    )


FORMS: dict[str, Callable[[Sequence[Rule]], str]] = {
    "text": text,
    "json": as_json,
    "ufw": ufw,
    "nft": nft,
    "firewalld": firewalld,
    "aws": aws,
    "gcp": gcp,
    "hetzner": hetzner,
}


def _sources(rule: Rule, separator: str) -> str:
    return separator.join(map(str, rule.sources))


def _plain(rule: Rule) -> dict[str, Any]:
    return {
        "key": rule.key,
        "protocol": rule.proto,
        "first": rule.first,
        "last": rule.last,
        "from": [str(source) for source in rule.sources],
        "why": rule.why,
    }

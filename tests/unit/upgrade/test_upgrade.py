"""An upgrade's way there and back, on real checkouts; what it replaces is a list of steps here.

On a real engine: tests/stack/test_compose_upgrade.py.
"""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from voicestack.errors import VoicestackError
from voicestack.upgrade import command, flow, journal, quiet
from voicestack.upgrade.errors import UnfitError
from voicestack.upgrade.flow import Move, Order, Report
from voicestack.upgrade.git import Checkout

IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.test")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *IDENTITY, *arguments]
    return subprocess.check_output(command, cwd=folder, text=True, stderr=subprocess.STDOUT).strip()


def commit(folder: Path, name: str, text: str, tag: str) -> str:
    (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", tag)
    git(folder, "tag", tag)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A clone at v1 of an origin that has v2 as well."""
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "--quiet", "--initial-branch", "main")
    (origin / ".gitignore").write_text(".state/\n.env\n")
    (origin / "lines.yaml").write_text("lines: 1\n")
    commit(origin, "version", "1", "v1")
    git(tmp_path, "clone", "--quiet", str(origin), "here")
    commit(origin, "version", "2", "v2")
    return Checkout(tmp_path / "here")


@dataclass
class Fake:
    """A runtime that writes down what is asked of it, and fails where it is told to."""

    checkout: Checkout
    fails_at: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    accepted: int = 0

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if what in self.fails_at:
            raise VoicestackError(f"{what} fails", hint="it is told to")

    def check(self) -> None:
        self._ask("check")

    def backup(self, target: Path) -> None:
        self._ask("backup")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("all")

    def keep(self) -> dict[str, str]:
        self._ask("keep")
        return {"image:1": "image:before-upgrade"}

    def replace(self, move: Move, drain_s: int) -> None:
        move()
        self._ask("replace")

    def back(self, move: Move, kept: dict[str, str]) -> None:
        move()
        assert kept == {"image:1": "image:before-upgrade"}
        self._ask("back")

    def accept(self) -> None:
        self.accepted += 1
        self._ask(f"accept {self.accepted}")

    def version(self) -> str:
        return (self.checkout.folder / "version").read_text()


def upgrade(runtime: Fake, **order: object) -> Report:
    checkout = runtime.checkout
    backup = checkout.folder / ".state/backups/1.backup"
    return flow.upgrade(checkout, runtime, Order(**order), backup, lambda _: None)  # type: ignore[arg-type]


def test_a_good_version_stays(checkout: Checkout) -> None:
    """Called before, backed up, replaced, called again; operator's own files are left alone."""
    (checkout.folder / ".env").write_text("MAX_CALLS=7\n")
    (checkout.folder / "lines.yaml").write_text("lines: my own\n")
    runtime = Fake(checkout)
    report = upgrade(runtime)
    assert runtime.asked == ["check", "accept 1", "backup", "keep", "replace", "accept 2"]
    assert (report.outcome, report.old, report.new) == ("upgraded", "v1", "v2")
    assert runtime.version() == "2"
    assert (checkout.folder / "lines.yaml").read_text() == "lines: my own\n"
    assert (checkout.folder / ".env").read_text() == "MAX_CALLS=7\n"
    assert upgrade(runtime).outcome == "nothing new"


@pytest.mark.parametrize("step", ["replace", "accept 2"])
def test_a_bad_version_goes_by_itself(checkout: Checkout, step: str) -> None:
    """Not built, not started, or no answer: the old version is back, and was called."""
    runtime = Fake(checkout, {step})
    report = upgrade(runtime)
    assert report.outcome == "rolled back"
    assert step in report.reason
    assert runtime.version() == "1"
    assert runtime.asked[-2] == "back"
    assert runtime.asked[-1].startswith("accept")


@pytest.mark.parametrize("step", ["check", "accept 1"])
def test_what_is_broken_already_is_not_upgraded(checkout: Checkout, step: str) -> None:
    """Nobody could tell afterwards whose fault it is."""
    runtime = Fake(checkout, {step})
    with pytest.raises(UnfitError, match=step):
        upgrade(runtime)
    assert runtime.version() == "1"
    assert runtime.asked[-1] == step


def test_a_dry_run_changes_nothing(checkout: Checkout) -> None:
    """It checks, calls, and says how much would change."""
    runtime = Fake(checkout)
    report = upgrade(runtime, dry_run=True)
    assert (report.outcome, report.files) == ("dry run", 1)
    assert runtime.asked == ["check", "accept 1"]
    assert runtime.version() == "1"
    assert not (checkout.folder / journal.PLACE).exists()


def test_when_neither_answers_it_says_where_the_backup_is(checkout: Checkout) -> None:
    """The worst case is told with all that helps."""
    runtime = Fake(checkout, {"accept 2", "accept 3"})
    with pytest.raises(VoicestackError) as raised:
        upgrade(runtime)
    assert "neither" in str(raised.value) or "either" in str(raised.value)
    assert "1.backup" in raised.value.hint


def test_ctrl_c_goes_back(checkout: Checkout) -> None:
    """Whoever loses patience keeps the version that answered."""

    class Impatient(Fake):
        def replace(self, move: Move, drain_s: int) -> None:
            move()
            raise KeyboardInterrupt

    runtime = Impatient(checkout)
    assert upgrade(runtime).outcome == "rolled back"
    assert runtime.version() == "1"


def test_one_that_was_cut_short_is_undone_first(checkout: Checkout) -> None:
    """A machine that lost power in between: the journal knows the way back."""

    class PowerCut(BaseException):
        pass

    class Dying(Fake):
        def replace(self, move: Move, drain_s: int) -> None:
            move()
            raise PowerCut

    with pytest.raises(PowerCut):
        upgrade(Dying(checkout))
    runtime = Fake(checkout)
    with pytest.raises(UnfitError) as raised:
        upgrade(runtime)
    assert "--rollback" in raised.value.hint
    report = flow.rollback(checkout, runtime, call=True, tell=lambda _: None)
    assert (report.outcome, runtime.version()) == ("rolled back", "1")
    with pytest.raises(UnfitError):
        flow.rollback(checkout, runtime, call=True, tell=lambda _: None)
    assert upgrade(runtime).outcome == "upgraded"


def test_a_good_version_can_be_undone_later(checkout: Checkout) -> None:
    """What no call shows may show tomorrow."""
    runtime = Fake(checkout)
    upgrade(runtime, call=False)
    assert runtime.accepted == 0
    flow.rollback(checkout, runtime, call=False, tell=lambda _: None)
    assert runtime.version() == "1"


def test_nobody_loses_what_he_wrote(checkout: Checkout) -> None:
    """Commits of the operator's own, and a file that both have changed, stop it."""
    (checkout.folder / "version").write_text("mine")
    with pytest.raises(UnfitError, match="version"):
        upgrade(Fake(checkout))
    commit(checkout.folder, "notes", "mine", "mine")
    with pytest.raises(UnfitError, match="commits of its own"):
        upgrade(Fake(checkout), ref="v2")
    assert (checkout.folder / "version").read_text() == "mine"


@pytest.mark.parametrize("ref", ["v3", "--hard", ""])
def test_an_unknown_version_is_told(checkout: Checkout, ref: str) -> None:
    """A name that does not exist, one that is an option of git, and none where none is followed."""
    git(checkout.folder, "checkout", "--quiet", "--detach")
    with pytest.raises(UnfitError) as raised:
        upgrade(Fake(checkout), ref=ref)
    assert "git tag" in raised.value.hint


def test_without_a_way_out_it_goes_where_it_is_told(checkout: Checkout) -> None:
    """News cannot be fetched; a version that is there already will do."""
    git(checkout.folder, "fetch", "--quiet", "--tags")
    git(checkout.folder, "remote", "set-url", "origin", "/nowhere")
    runtime = Fake(checkout)
    assert upgrade(runtime, ref="v2").outcome == "upgraded"


SCRIPT = """#!/bin/sh
echo "$(basename "$0")" "$@" "$(cat version)" >>"$PWD/../steps"
if [ "$(basename "$0")" = rooms.py ]; then  # one call, that ends while it is waited for
    echo "{\\"rooms\\": [{\\"num_participants\\": $(cat ../calls || echo 0)}]}"
    echo 0 >../calls
fi
! grep -q "$(basename "$0") $(cat version)" ../fails 2>/dev/null
"""


def native(checkout: Checkout) -> Path:
    """The scripts that an upgrade of the native runtime calls, each a line in a file."""
    bin_folder = checkout.folder / ".venv/bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "python").write_text('#!/bin/sh\nscript=$1; shift; exec "$script" "$@"\n')
    (bin_folder / "python").chmod(0o755)
    (checkout.folder / "scripts").mkdir()
    for name in ("status", "backup", "rooms", "down", "setup", "up", "test_call"):
        (checkout.folder / f"scripts/{name}.py").write_text(SCRIPT)
    (checkout.folder / "scripts/bootstrap.sh").write_text(SCRIPT)
    for path in (checkout.folder / "scripts").iterdir():
        path.chmod(0o755)
    (checkout.folder / ".git/info/exclude").write_text(".venv\nscripts\n")
    (checkout.folder.parent / "calls").write_text("2")
    return checkout.folder.parent / "steps"


def test_natively_nothing_changes_below_what_runs(
    checkout: Checkout, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkout moves when the last call has ended, and not before."""
    steps = native(checkout)
    monkeypatch.setattr(quiet, "PAUSE_S", 0.01)
    assert command.main(["--runtime", "native", "--json"], checkout.folder) == command.DONE
    out = capsys.readouterr()
    assert json.loads(out.out)["outcome"] == "upgraded"
    assert "waiting for 1 calls" in out.err
    done = [
        tuple(line.split()[:: len(line.split()) - 1]) for line in steps.read_text().splitlines()
    ]
    assert done == [
        *[("status.py", "1"), ("test_call.py", "1"), ("backup.py", "1")],
        *[("rooms.py", "1"), ("rooms.py", "1"), ("down.py", "1")],
        *[("bootstrap.sh", "2"), ("setup.py", "2"), ("up.py", "2"), ("test_call.py", "2")],
    ]


def test_natively_it_goes_back_too(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    """The version that does not come up is stopped, and the old one set up again."""
    steps = native(checkout)
    (checkout.folder.parent / "fails").write_text("up.py 2\n")
    (checkout.folder.parent / "calls").write_text("0")
    assert command.main(["--runtime", "native"], checkout.folder) == command.FAILED
    assert "rolled back" in capsys.readouterr().out
    last = [line.split()[0] for line in steps.read_text().splitlines()[-5:]]
    assert last == ["down.py", "bootstrap.sh", "setup.py", "up.py", "test_call.py"]
    assert (checkout.folder / "version").read_text() == "1"


def test_its_script_needs_no_packages(tmp_path: Path) -> None:
    """A machine with Docker has a python3, and nothing of ours is installed for it."""
    root = Path(__file__).resolve().parents[3]
    for name in ("upgrade", "backup", "restore", "airgap", "cloud_init"):
        done = subprocess.run(
            ["/usr/bin/python3", "-S", "-E", str(root / f"scripts/{name}.py"), "--help"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "xample" in done.stdout

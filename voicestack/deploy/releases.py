"""Releases: copies of the agent's code, so that old and new run side by side.

A worker makes a process for each call, and that process imports the agent anew: run from the
checkout, an old worker would answer its next call with half of the new code.

STATE_DIR/releases/NAME/agent        the code
                       /run          sets the variables of the release and starts the worker
                       /release.json what it is
STATE_DIR/releases/state.json        which release has which slot, and a deploy under way
STATE_DIR/slots/SLOT                 link to the release that runs there
STATE_DIR/run/on-duty                the slot whose worker takes new calls (voice_agent/duty.py)
"""

import compileall
import contextlib
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from voicestack.environment import as_shell, version
from voicestack.errors import VoicestackError
from voicestack.native.paths import Paths

SLOTS = ("agent", "agent-b")
# What of a checkout a worker runs.
CODE = (
    "agent/voice_agent",
    "agent/livekit-plugins-faster-whisper/livekit",
    "agent/livekit-plugins-faster-whisper/faster_whisper_engine",
)
IGNORED = ("__pycache__", "*.pyc", ".*")
# The one on duty, the one before, and some to go back to by hand.
KEPT = 4
PACKAGES = Path("requirements")


@dataclass(frozen=True, slots=True)
class Release:
    """One version with its settings."""

    name: str
    version: str
    made_at: float
    packages: str  # digest of the locked packages that it was made for


@dataclass(frozen=True, slots=True)
class Deploy:
    """A deploy under way: what to clean up if the command dies."""

    phase: str  # "trial": the new worker takes test calls only; "draining": the old one has calls
    slot: str
    release: str
    before: str = ""  # `previous`, to be put back with the rest


@dataclass(frozen=True, slots=True)
class State:
    """Who is where."""

    on_duty: str = SLOTS[0]
    releases: Mapping[str, str] = field(default_factory=dict)  # slot → name of its release
    previous: str = ""  # name of the release that was on duty before
    deploy: Deploy | None = None

    @property
    def slots(self) -> tuple[str, ...]:
        """The slots in use, the one on duty first."""
        used = {self.on_duty, self.deploy.slot} if self.deploy else {self.on_duty}
        if self.deploy and self.deploy.phase == "draining":
            used |= {self.other}
        return tuple(sorted(used, key=lambda slot: slot != self.on_duty))

    @property
    def other(self) -> str:
        """The slot that is not on duty."""
        return SLOTS[1 - SLOTS.index(self.on_duty)]


def read(paths: Paths) -> State:
    """Read who is where; a stack that never ran has one worker in the first slot."""
    try:
        raw = json.loads((paths.releases / "state.json").read_text())
        deploy = Deploy(**raw.pop("deploy")) if raw.get("deploy") else None
        return State(**{**raw, "deploy": deploy})
    except FileNotFoundError:
        return State()
    except (ValueError, TypeError) as error:
        raise VoicestackError(
            f"{paths.releases / 'state.json'} cannot be read: {error}",
            hint="`make down && make up` writes it anew",
        ) from error


def write(paths: Paths, state: State) -> None:
    """Remember it, whole or not at all; new calls move with it."""
    _replace(paths.releases / "state.json", json.dumps(asdict(state), indent=1))
    _replace(paths.run / "on-duty", f"{state.on_duty}\n")


def fresh(paths: Paths, environment: Mapping[str, str]) -> Release:
    """For a stack that starts: the checkout's version in the first slot."""
    try:
        before = read(paths)
    except VoicestackError:
        before = State()
    release = make(paths, paths.root, environment)
    place(paths, SLOTS[0], release.name)
    previous = another(paths, release, (before.releases.get(before.on_duty, ""), before.previous))
    write(paths, State(releases={SLOTS[0]: release.name}, previous=previous))
    prune(paths)
    return release


def another(paths: Paths, release: Release, names: Iterable[str]) -> str:
    """The first that is there and another version: going back to the same one helps nobody."""
    for name in names:
        with contextlib.suppress(VoicestackError):
            if name and load(paths, name).version != release.version:
                return name
    return ""


def make(paths: Paths, checkout: Path, environment: Mapping[str, str]) -> Release:
    """Copy the code of a checkout, with what its worker is to find in its environment."""
    for part in CODE:
        if not (checkout / part).is_dir():
            raise VoicestackError(
                f"{checkout} has no {part}", hint="--from wants a checkout of this project"
            )
    half = paths.releases / f".making-{os.getpid()}"
    shutil.rmtree(half, ignore_errors=True)
    try:
        for part in CODE:
            shutil.copytree(checkout / part, half / part, ignore=shutil.ignore_patterns(*IGNORED))
        check(half)
        made_at = time.time()
        named = version_of(checkout, half)
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(made_at))
        name = free_name(paths, f"{stamp}-{named}")
        release = Release(name, named, made_at, packages(checkout))
        text = run_script(paths, paths.releases / name, {**environment, "AGENT_VERSION": named})
        (half / "run").write_text(text)
        (half / "run").chmod(0o700)
        (half / "release.json").write_text(json.dumps(asdict(release), indent=1))
        half.rename(paths.releases / name)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return release


def record(paths: Paths, release: Release) -> None:
    """Remember a release whose code is elsewhere."""
    _replace(paths.releases / release.name / "release.json", json.dumps(asdict(release), indent=1))


def check(folder: Path) -> None:
    """Compile all of it: byte code for the processes of calls, and no file that cannot be read."""
    if not compileall.compile_dir(folder, quiet=2, workers=1):
        raise VoicestackError(
            "the new version has a file that is no Python",
            hint=".venv/bin/python -m compileall -q agent    names it",
        )


def version_of(checkout: Path, copied: Path) -> str:
    """Name the code: the commit, and where that does not tell, a digest of the files."""
    described = version(checkout).removesuffix("-dirty")
    return described if is_committed(checkout) else f"{described}-{digest(copied)[:8]}"


def is_committed(checkout: Path) -> bool:
    """True if git knows the agent's code as it is, new files included."""
    command = ["git", "-C", str(checkout), "status", "--porcelain", "--", "agent"]
    try:
        done = subprocess.run(command, check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return False
    return not done.stdout


def digest(folder: Path) -> str:
    """One word for the content of a folder."""
    whole = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            whole.update(f"{file.relative_to(folder)} {content}\n".encode())
    return whole.hexdigest()


def packages(checkout: Path) -> str:
    """One word for the packages that a checkout wants; both workers share one .venv."""
    whole = hashlib.sha256()
    for file in sorted((checkout / PACKAGES).glob("*.txt")):
        whole.update(file.read_bytes())
    return whole.hexdigest()[:16]


def free_name(paths: Paths, wanted: str) -> str:
    """Two releases of one second have two names."""
    names = [wanted, *(f"{wanted}-{number}" for number in range(2, 100))]
    return next(name for name in names if not (paths.releases / name).exists())


def run_script(paths: Paths, folder: Path, environment: Mapping[str, str]) -> str:
    """The start of a worker; what differs between slots is in its environment already."""
    code = ":".join(str(folder / part) for part in sorted({str(Path(c).parent) for c in CODE}))
    return (
        "#!/bin/sh\n"
        f"# Release {folder.name}: written by voicestack/deploy/releases.py\n"
        f"set -ea\n{as_shell({**environment, 'PYTHONPATH': code})}set +a\n"
        f"cd {shlex.quote(str(folder))}\n"
        "[ $# -gt 0 ] || set -- -m voice_agent start\n"
        f'exec {shlex.quote(str(paths.python))} "$@"\n'
    )


def load(paths: Paths, name: str) -> Release:
    """A release that was made before."""
    try:
        return Release(**json.loads((paths.releases / name / "release.json").read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise VoicestackError(
            f"there is no release {name!r}", hint=f"ls {paths.releases}"
        ) from error


def place(paths: Paths, slot: str, name: str) -> None:
    """Let a slot run a release from its next start on."""
    link = paths.slot(slot)
    link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = link.with_name(f".{slot}.part")
    half.unlink(missing_ok=True)
    half.symlink_to(paths.releases / name)
    half.replace(link)


def prune(paths: Paths) -> None:
    """Forget the oldest releases that nothing needs."""
    state = read(paths)
    needed = {*state.releases.values(), state.previous}
    made = {each.parent.name: each.stat().st_mtime_ns for each in paths.releases.glob("*/run")}
    for name in set(sorted(made, key=lambda each: made[each])[:-KEPT]) - needed:
        shutil.rmtree(paths.releases / name, ignore_errors=True)


def switched(state: State, slot: str, release: str) -> State:
    """Hand new calls to a slot; the release that had them becomes the previous one."""
    return replace(
        state,
        on_duty=slot,
        releases={**state.releases, slot: release},
        previous=state.releases.get(state.on_duty, ""),
    )


def without(releases: Mapping[str, str], slots: Iterable[str]) -> dict[str, str]:
    """Every slot but these."""
    gone = set(slots)
    return {slot: name for slot, name in releases.items() if slot not in gone}


def _replace(file: Path, text: str) -> None:
    """A reader sees the old text or the new one."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = file.with_name(f".{file.name}.part")
    half.write_text(text)
    half.replace(file)

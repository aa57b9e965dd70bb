"""bootstrap.sh on machines that lack this or that; apt, dpkg and uv are stand-ins."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.unit.setup.fakes import program

ROOT = Path(__file__).parents[3]
ALL = "gcc libc6-dev pkg-config libopus-dev libopusfile-dev libsoxr-dev redis-tools ca-certificates"
DEV = (
    "chromium libnss3-tools iproute2 iptables nftables docker.io mmdebstrap"
    " espeak-ng flite kamailio baresip-core"
)
SYSTEM_TOOLS = "bash cat cp cut dirname env find grep mkdir mv rm sed sha256sum sleep tail tr wc"


class Machine:
    """A checkout and a PATH of stand-ins that write down how they were called."""

    def __init__(self, folder: Path) -> None:
        self.checkout, self.bin, self.log = folder / "checkout", folder / "bin", folder / "log"
        self.log.write_text("")
        for name in ("scripts/bootstrap.sh", "voicestack/setup/distribution.sh"):
            (self.checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.checkout / name)
        for name in ("runtime", "piper", "dev"):
            self.lock(name, f"{name}==1.0\n")
        for name in ("pyproject.toml", "agent/livekit-plugins-faster-whisper/pyproject.toml"):
            (self.checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (self.checkout / name).write_text("[project]\n")
        self.bin.mkdir()
        for name in SYSTEM_TOOLS.split():
            found = shutil.which(name)
            assert found
            (self.bin / name).symlink_to(found)
        self.installed(ALL)
        self.stand_in("id", "echo 0")
        self.stand_in("apt-get", "exit 0")
        # `uv venv` makes a .venv whose Python answers.
        self.stand_in(
            "uv",
            f"""[ "$1" = venv ] && rm -rf .venv && mkdir -p .venv/bin &&
            cp {self.bin}/env .venv/bin/python && printf '#!/bin/sh\\n' > .venv/bin/python
            exit 0""",
        )

    def lock(self, name: str, text: str) -> None:
        path = self.checkout / "requirements" / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def stand_in(self, name: str, script: str) -> None:
        (self.bin / name).unlink(missing_ok=True)
        program(self.bin / name, f'echo "{name} $*" >> {self.log}\n{script}')

    def installed(self, names: str) -> None:
        """dpkg-query knows these; its last argument is the package."""
        cases = "|".join(names.split()) or "none"
        program(
            self.bin / "dpkg-query",
            f'for last; do :; done; case "$last" in {cases}) printf installed;; *) exit 1;; esac',
        )

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        self.log.write_text("")
        return subprocess.run(
            [self.checkout / "scripts/bootstrap.sh", *args],
            env={"PATH": str(self.bin), "HOME": str(self.checkout)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )

    def calls(self, name: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if line.startswith(f"{name} ")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_nothing_missing_asks_nothing_of_apt(machine: Machine) -> None:
    """All packages there: apt-get is not run, .venv is made."""
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert machine.calls("apt-get") == []
    assert [call.split()[1] for call in machine.calls("uv")] == ["venv", "pip", "pip"]
    assert "--require-hashes" in machine.calls("uv")[1]


def test_only_missing_packages_are_installed_and_listed_first(machine: Machine) -> None:
    """The list stands in the output before apt-get runs; the wait for locks is set."""
    machine.installed(ALL.replace("libsoxr-dev", "").replace("redis-tools", ""))
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert "installing distribution packages: libsoxr-dev redis-tools" in done.stderr
    install = machine.calls("apt-get")[-1]
    assert install.endswith("install --no-install-recommends libsoxr-dev redis-tools")
    assert "DPkg::Lock::Timeout=300" in install


def test_who_wants_a_registrar_gets_kamailio_and_no_service(machine: Machine) -> None:
    """Debian would start one on livekit-sip's port: its unit is masked before it is installed."""
    (machine.checkout / ".env").write_text('REGISTRAR="on"\n')
    machine.stand_in("systemctl", "exit 0")
    assert machine.run().returncode == 0
    calls = machine.log.read_text().splitlines()
    mask = calls.index("systemctl --quiet mask kamailio.service")
    assert calls[-1].startswith("uv ")
    installs = [call for call in calls[mask:] if call.endswith("recommends kamailio")]
    assert installs
    assert not any(" -y " in call and "install" in call for call in calls[:mask])
    machine.installed(f"{ALL} kamailio")
    (machine.checkout / ".env").write_text("REGISTRAR=off\n")
    assert machine.run().returncode == 0
    assert machine.calls("systemctl") == []


def test_what_tests_need_is_installed_for_tests_alone(machine: Machine) -> None:
    """Users get no browser; developers and CI do."""
    assert machine.run().returncode == 0
    assert machine.calls("apt-get") == []
    assert machine.run("--dev").returncode == 0
    assert machine.calls("apt-get")[-1].endswith(
        "nftables docker.io mmdebstrap espeak-ng flite kamailio baresip-core"
    )
    machine.installed(f"{ALL} {DEV}")
    assert machine.run("--dev").returncode == 0
    assert machine.calls("apt-get") == []


@pytest.mark.parametrize(("lists", "updates"), [("", 1), ("/var/lib/apt/lists", 0)])
def test_lists_are_updated_only_when_old(machine: Machine, lists: str, updates: int) -> None:
    """Lists of the last day that know every name are good enough."""
    machine.installed(ALL.replace("libsoxr-dev", ""))
    machine.stand_in("find", f"printf '%s' '{lists}'")
    assert machine.run().returncode == 0
    assert sum(call.endswith(" update") for call in machine.calls("apt-get")) == updates


def test_neither_root_nor_sudo(machine: Machine) -> None:
    """The exact command is in the hint; nothing was tried."""
    machine.installed(ALL.replace("libsoxr-dev", ""))
    machine.stand_in("id", "echo 1000")
    done = machine.run()
    assert done.returncode == 1
    assert "error: not root and no sudo, and these packages are missing: libsoxr-dev" in done.stderr
    assert (
        "hint: as root: apt-get update && apt-get install --no-install-recommends libsoxr-dev"
        in (done.stderr)
    )
    assert machine.calls("apt-get") == []


def test_sudo_is_used_without_questions(machine: Machine) -> None:
    """Nobody at a terminal: sudo must not ask for a password."""
    machine.installed(ALL.replace("libsoxr-dev", ""))
    machine.stand_in("id", "echo 1000")
    machine.stand_in("sudo", 'shift; exec "$@"')
    assert machine.run().returncode == 0
    assert machine.calls("sudo")[-1].startswith(
        "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get"
    )


def test_failing_apt_is_told(machine: Machine) -> None:
    """The error names the packages, the hint the command to run by hand."""
    machine.installed(ALL.replace("libsoxr-dev", ""))
    machine.stand_in("apt-get", 'case "$*" in *simulate*|*update*) exit 0;; esac; exit 100')
    done = machine.run()
    assert done.returncode == 1
    assert "error: apt-get could not install: libsoxr-dev" in done.stderr
    assert "hint: sudo apt-get update && sudo apt-get install" in done.stderr


def test_machine_that_is_no_debian(machine: Machine) -> None:
    """Without dpkg the packages are left to the steps that miss them."""
    (machine.bin / "dpkg-query").unlink()
    assert machine.run().returncode == 0
    assert machine.calls("apt-get") == []


def test_second_run_does_nothing(machine: Machine) -> None:
    """The stamp says that nothing changed; --dev in the stamp serves without --dev too."""
    machine.run("--dev")
    assert any("dev.txt" in call for call in machine.calls("uv"))
    for args in ([], ["--dev"]):
        assert machine.run(*args).returncode == 0
        assert machine.calls("uv") == []


def test_changed_lock_updates_in_place(machine: Machine) -> None:
    """Another lock is installed into the same .venv."""
    machine.run()
    machine.lock("runtime", "runtime==2.0\n")
    machine.run()
    assert [call.split()[1] for call in machine.calls("uv")] == ["pip", "pip"]


def test_half_made_environment_is_made_afresh(machine: Machine) -> None:
    """An install that was cut leaves no stamp; the next run starts .venv over and finishes."""
    machine.run()
    machine.lock("runtime", "runtime==2.0\n")
    whole = (machine.bin / "uv").read_text()
    machine.stand_in("uv", "exit 2")
    assert machine.run().returncode != 0
    assert not (machine.checkout / ".venv/.voicestack-stamp").exists()
    (machine.bin / "uv").write_text(whole)
    assert machine.run().returncode == 0
    assert machine.calls("uv")[0].startswith("uv venv")
    assert machine.run().returncode == 0
    assert machine.calls("uv") == []


def test_moved_checkout_is_noticed(machine: Machine, tmp_path: Path) -> None:
    """Paths in .venv are absolute."""
    machine.run()
    machine.checkout = machine.checkout.rename(tmp_path / "moved")
    machine.run()
    assert machine.calls("uv")


def test_uv_comes_from_a_hashed_package(machine: Machine) -> None:
    """A machine without uv gets it into the cache, with python3-venv for the way there."""
    (machine.bin / "uv").rename(machine.bin / "packaged-uv")
    (machine.checkout / "requirements/uv.txt").write_text("uv==1.0\n")
    machine.stand_in(
        "python3",
        f"""mkdir -p "$4/bin"; cp {machine.bin}/packaged-uv "$4/bin/uv"
        printf '#!/bin/sh\\necho "pip $*" >> {machine.log}\\n' > "$4/bin/pip"
        {shutil.which("chmod")} +x "$4/bin/pip" """,
    )
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert "python3 python3-venv" in done.stderr
    assert "--require-hashes -r requirements/uv.txt" in machine.calls("pip")[0]
    assert machine.calls("uv")

"""compose.yaml beside what it repeats: services, versions, folders. What it does: tests/stack."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from voicestack import settings
from voicestack.native.paths import Paths
from voicestack.native.render import TEMPLATES
from voicestack.native.services import all_services
from voicestack.ports import resolve

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = YAML(typ="safe").load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
LINES = 150
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_the_system_is_seen_at_a_glance() -> None:
    """At most 150 lines."""
    assert len(TEXT.splitlines()) <= LINES


def test_the_services_of_the_native_runtime_in_call_order(tmp_path: Path) -> None:
    """Both runtimes run the same; `setup` comes first, and only a deploy has a second worker."""
    held = settings.load(tmp_path, environ={})
    native = all_services(held, resolve(held), Paths.of(held, ROOT))
    names = [name for name, service in SERVICES.items() if "profiles" not in service]
    assert names == ["setup", *(service.name for service in native if not service.disabled)]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_bounded_and_closed(name: str) -> None:
    """What a copy of a service forgets, the engine would allow."""
    service = SERVICES[name]
    assert service["network_mode"] == "host"
    assert "ports" not in service
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert not service.keys() & {"cap_add", "privileged", "pid", "ipc", "devices"}
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == "10001:10001"
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_has_an_exact_tag(name: str) -> None:
    """Three numbers, and our own carry the version of the project."""
    image = SERVICES[name]["image"]
    assert re.search(r":v?\d+\.\d+\.\d+(-[a-z]+)?$", image), image
    if image.startswith("voicestack/"):
        assert image.endswith(f":{VERSION}")


def test_every_base_image_has_an_exact_tag() -> None:
    """A build next year starts from the same system."""
    stages = re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE)
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) - set(stages)
    assert all(re.search(r":\d+\.\d+(\.\d+)?-", base) for base in bases), bases


def test_every_handed_folder_belongs_to_the_user_of_the_services() -> None:
    """A volume takes its owner from the image's folder: one that is missing there is root's."""
    mounts = [mount.split(":") for mount in SERVICES["setup"]["volumes"]]
    targets = {parts[1] for parts in mounts if not parts[0].startswith(".")}
    made = re.search(r"install -d (.*?)\n(?:COPY|ENV|USER)", DOCKERFILE, re.DOTALL)
    assert made is not None
    assert targets <= set(re.findall(r"/\S+", made[1]))


def test_only_setup_writes_configuration() -> None:
    """Every other service reads its own, and has no other's."""
    for name, service in SERVICES.items():
        configs = [each for each in service["volumes"] if "-config:" in each]
        if name not in {"setup", "vllm"}:  # vLLM is told everything on its command line
            assert len(configs) == 1, name
            assert configs[0].endswith(":/state/config:ro"), name


def test_the_servers_are_those_of_the_native_runtime() -> None:
    """Built by the set-up, patches and all: a released image would have none of them."""
    built = re.search(r"-m voicestack\.setup\.servers (.+?) \\", DOCKERFILE)
    assert built is not None
    run = {each["entrypoint"][0] for each in SERVICES.values() if "/servers:" in each["image"]}
    assert run == set(built[1].split()) == {"livekit-server", "livekit-sip", "caddy"}


@pytest.mark.parametrize(("service", "extra_s"), [("sip", 5), ("agent", 15)])
def test_calls_may_end_before_a_container_is_killed(service: str, extra_s: int) -> None:
    """DRAIN_S, as the native supervisor adds to it."""
    grace = SERVICES[service]["stop_grace_period"]
    assert grace == f"${{DRAIN_S:-60}}s{extra_s}000ms"


def test_the_build_of_the_servers_gets_what_it_imports_and_no_more() -> None:
    """One that is missing fails in an image; with one too many, servers compile for nothing."""
    ask = "import sys, voicestack.setup.servers; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", ask], cwd=ROOT, text=True).split()
    ours = {name for name in loaded if name.split(".")[0] == "voicestack"}
    stage = DOCKERFILE.split("AS build")[1].split("\nFROM")[0]
    copied = {Path(name) for name in re.findall(r"voicestack/\S+\.py", stage)}
    assert copied == {_file(name) for name in ours}


def _file(module: str) -> Path:
    folder = Path(*module.split("."))
    return folder / "__init__.py" if (ROOT / folder).is_dir() else folder.with_suffix(".py")


def test_the_linter_finds_nothing(tmp_path: Path) -> None:
    """compose-lint, down to its lowest severity, but for what .compose-lint.yml answers."""
    # In a folder of its own: a checkout below somebody's home would be a finding.
    for name in ("compose.yaml", ".compose-lint.yml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "sip").mkdir()
    linter = Path(sys.executable).with_name("compose-lint")
    options = ["check", "--strict-config", "--fail-on", "low", "--skip-suppressed", "--no-pager"]
    done = subprocess.run(
        [linter, *options, "compose.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_template_is_in_the_image() -> None:
    """What .dockerignore keeps out, `setup` cannot render."""
    let_in = (ROOT / ".dockerignore").read_text().splitlines()
    assert [name for name in TEMPLATES if f"!{name.partition('/')[0]}" not in let_in] == []


def test_each_image_is_built_on_the_network_that_tests_have() -> None:
    """tests/stack/build.yaml names every service that is built: one that is missing builds anew."""
    beside = YAML(typ="safe").load((ROOT / "tests/stack/build.yaml").read_text())["services"]
    assert set(beside) == {name for name, service in SERVICES.items() if "build" in service}

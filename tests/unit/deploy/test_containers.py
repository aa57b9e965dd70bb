"""What is asked of Docker, without one; tests/stack has a real engine."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from ruamel.yaml import YAML

from voicestack import settings
from voicestack.credentials import NAMES
from voicestack.deploy import releases
from voicestack.deploy.containers import Containers, image, override
from voicestack.deploy.releases import State
from voicestack.host.compose import Compose
from voicestack.native.paths import Paths
from voicestack.office import Office

ROOT = Path(__file__).resolve().parents[3]


class Docker:
    """Notes what it is asked, and answers as told."""

    checkout = ROOT

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.answer: Callable[[list[str]], str] = lambda _: ""

    def docker(self, *arguments: str, **_: Any) -> bytes:
        self.asked.append(list(arguments))
        return self.answer(list(arguments)).encode()

    def tools(self, *_: str, **__: Any) -> bytes:
        return "\n".join(f"secret-{name}" for name in NAMES).encode()


class Subject:
    """The workers of containers, with a Docker that only listens."""

    def __init__(self, folder: Path) -> None:
        self.docker = Docker()
        self.containers = Containers(cast("Compose", self.docker), folder, drain_s=60)

    @property
    def asked(self) -> list[str]:
        return [" ".join(words) for words in self.docker.asked]


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return Subject(tmp_path)


async def test_a_slot_is_started_beside_the_other(subject: Subject, tmp_path: Path) -> None:
    """Its own container is made, no other is touched, and stopping leaves nothing behind."""
    subject.containers.place("agent-b", {"agent": "old", "agent-b": "new"})
    await subject.containers.start("agent-b")
    await subject.containers.stop("agent-b")
    files = f"compose --file compose.yaml --file {tmp_path}/compose-deploy.json"
    assert subject.asked == [
        f"{files} up --detach --no-deps --no-build agent-b",
        f"{files} stop agent-b",
        f"{files} rm --force agent-b",
    ]


def test_the_second_slot_is_the_first_but_for_three_things() -> None:
    """Image, variables, probe: whatever else compose.yaml says of the agent holds for both."""
    services = override({"agent": "1", "agent-b": "2+3"}, ROOT)["services"]
    assert services["agent"] == {"image": "voicestack/python:1"}
    second = services["agent-b"]
    assert second.pop("extends") == {"file": str(ROOT / "compose.yaml"), "service": "agent"}
    assert second["image"] == image("2+3") == "voicestack/python:2-3"
    agent = YAML(typ="safe").load(ROOT / "compose.yaml")["services"]["agent"]
    command = [word.replace("agent-b.env", "agent.env") for word in second["command"]]
    assert command == agent["command"]
    assert second["healthcheck"]["test"][-1] == "/state/config/agent-b.health"


async def test_the_secrets_come_from_the_volume(subject: Subject, tmp_path: Path) -> None:
    """The host has none of its own."""
    office = await subject.containers.office(settings.load(tmp_path, environ={}))
    assert office.held.control_secret == "secret-control_secret"


async def test_an_image_is_built_for_a_release(subject: Subject) -> None:
    """From the checkout that is deployed, and it knows its version."""
    await subject.containers.build("20261127-1", "8bd11a3", Path("/checkout"))
    assert subject.asked == [
        "build --target python --build-arg AGENT_VERSION=8bd11a3"
        " --tag voicestack/python:20261127-1 /checkout"
    ]


@pytest.mark.parametrize(
    ("status", "health", "running", "ready"),
    [
        ("running", "healthy", True, True),
        ("running", "starting", True, False),
        ("restarting", "unhealthy", False, False),
        ("exited", "healthy", False, False),
    ],
)
async def test_a_look(
    subject: Subject, status: str, health: str, running: bool, ready: bool
) -> None:
    """A container that was started again has another life."""

    def answer(words: list[str]) -> str:
        if "inspect" in words:
            return json.dumps({"Status": status, "StartedAt": "noon", "Health": {"Status": health}})
        return "4711"

    subject.docker.answer = answer
    seen = await subject.containers.look("agent")
    assert (seen.running, seen.ready, seen.life) == (running, ready, "4711 noon")


async def test_a_slot_that_never_was(subject: Subject) -> None:
    """compose.yaml does not know it, and Docker would refuse the question."""
    assert not (await subject.containers.look("agent-b")).running
    assert subject.asked == []


async def test_the_switch_is_one_step(subject: Subject) -> None:
    """Written beside and renamed, where both workers read it."""
    await subject.containers.switch("agent-b")
    (asked,) = subject.docker.asked
    assert asked[-6:-1] == ["exec", "-T", "control", "sh", "-c"]
    assert asked[-1].endswith("mv /state/run/on-duty.part /state/run/on-duty")


async def test_what_runs_is_known_before_the_first_deploy(subject: Subject, tmp_path: Path) -> None:
    """Its image gets a name, so that there is a way back."""
    paths = Paths(root=ROOT, state=tmp_path, cache=tmp_path)

    class Told:
        async def control(self, _path: str) -> dict[str, Any]:
            return {"workers": [{"alive": True, "slot": "agent", "version": "0.1.0"}]}

    def answer(words: list[str]) -> str:
        if "{{.Image}}" in words:
            return "sha256:1"
        if "inspect" in words:
            return json.dumps({"Status": "running", "StartedAt": "noon"})
        return "4711" if "ps" in words else ""

    subject.docker.answer = answer
    await subject.containers.adopt(paths, cast("Office", Told()))
    state = releases.read(paths)
    name = state.releases["agent"]
    assert releases.load(paths, name).version == "0.1.0"
    assert subject.asked[-1] == f"tag sha256:1 {image(name)}"
    await subject.containers.adopt(paths, cast("Office", Told()))
    assert releases.read(paths) == state == State("agent", {"agent": name})

"""Deploys where the stack runs in containers: a second service, an image for each release.

compose.yaml knows the first slot only. What differs in a deploy stands in a file of its own beside
it: the image of each slot, and the second slot. No container has the Docker socket, so all of this
runs on the host.
"""

import asyncio
import json
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voicestack import ports
from voicestack.credentials import NAMES, Credentials
from voicestack.deploy import releases
from voicestack.deploy.releases import SLOTS, Release, State
from voicestack.deploy.runtime import Look
from voicestack.host.compose import Compose
from voicestack.native.paths import Paths
from voicestack.office import Office
from voicestack.settings import Settings

IMAGE = "voicestack/python"
# Packages may have to be fetched and installed anew.
BUILD_S = 1800.0
# What a slot's container has of its own; all else is the service `agent` of compose.yaml.
HEALTH = "/state/config/{slot}.health"
ON_DUTY = "/state/run/on-duty"


class Containers:
    """`docker compose` in a checkout, as far as the workers go."""

    def __init__(self, compose: Compose, folder: Path, drain_s: int) -> None:
        self._compose, self._drain_s = compose, drain_s
        self._file = folder / "compose-deploy.json"

    async def build(self, release: str, version: str, checkout: Path) -> None:
        """Make the image of a release, which knows its version."""
        await asyncio.to_thread(
            self._compose.docker,
            *("build", "--target", "python", "--build-arg", f"AGENT_VERSION={version}"),
            *("--tag", image(release), str(checkout)),
            timeout_s=BUILD_S,
        )

    async def _keep(self, release: str, slot: str) -> None:
        """Keep the image that a slot runs, so that there is a way back to it."""
        running = await self._id(slot)
        found = await self._docker("inspect", "--format", "{{.Image}}", running)
        await self._docker("tag", found, image(release))

    async def adopt(self, paths: Paths, office: Office) -> None:
        """Know what runs: the first deploy, or one after `docker compose up` by hand."""
        state = releases.read(paths)
        running = [slot for slot in SLOTS if (await self.look(slot)).running]
        if state.deploy or not running:
            return
        slot = state.on_duty if state.on_duty in running else running[0]
        workers = (await office.control("/workers"))["workers"]
        version = next((w["version"] for w in workers if w["alive"] and w["slot"] == slot), "")
        known = state.releases.get(slot, "")
        if not version or (known and releases.load(paths, known).version == version):
            return
        now_s = time.time()
        name = releases.free_name(paths, f"{time.strftime('%Y%m%d-%H%M%S')}-{version}")
        packages = releases.packages(self._compose.checkout)
        releases.record(paths, Release(name, version, now_s, packages))
        await self._keep(name, slot)
        releases.write(paths, State(slot, {slot: name}, known))

    def place(self, _slot: str, placed: Mapping[str, str]) -> None:
        """Write which image each slot is to have from its next start on."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        half = self._file.with_suffix(".part")
        half.write_text(json.dumps(override(placed, self._compose.checkout), indent=1))
        half.replace(self._file)

    async def start(self, slot: str) -> None:
        """Make its container, and touch no other."""
        await self._both("up", "--detach", "--no-deps", "--no-build", slot)

    async def promote(self, slot: str) -> None:
        """Nothing: containers start with the priority that they keep."""

    async def stop(self, slot: str) -> None:
        """SIGTERM, after DRAIN_S and a moment SIGKILL; then remove it, or a reboot starts it."""
        await self._both("stop", slot, timeout_s=self._drain_s + 60.0)
        await self._both("rm", "--force", slot)

    async def switch(self, slot: str) -> None:
        """Name the slot that takes new calls, in the folder that both workers read."""
        write = f"printf '%s\\n' {shlex.quote(slot)} >{ON_DUTY}.part && mv {ON_DUTY}.part {ON_DUTY}"
        await self._both("exec", "-T", "control", "sh", "-c", write)

    async def look(self, slot: str) -> Look:
        """The engine's word; a container that is started again has another start time."""
        container = await self._id(slot)
        if not container:
            return Look(False, False, "")
        seen: dict[str, Any] = json.loads(
            await self._docker("inspect", "--format", "{{json .State}}", container)
        )
        running = seen["Status"] == "running"
        healthy = seen.get("Health", {}).get("Status") == "healthy"
        return Look(running, running and healthy, f"{container} {seen['StartedAt']}")

    async def alive(self) -> bool:
        """Whether there is a container of control."""
        return bool(await self._id("control"))

    async def office(self, settings: Settings) -> Office:
        """The servers of the stack from the host: same ports, and the secrets of the volume."""
        ask = 'cd /state/secrets && for name; do printf "%s\\n" "$(cat "$name")"; done'
        text = await asyncio.to_thread(self._compose.tools, "sh", "-c", ask, "sh", *NAMES)
        values = dict(zip(NAMES, text.decode().split(), strict=True))
        held = Credentials(directory=Path("/state/secrets"), **values)
        return Office(settings, ports.resolve(settings), held)

    async def _id(self, slot: str) -> str:
        return await self._both("ps", "--all", "--quiet", slot)

    async def _both(self, *arguments: str, timeout_s: float = 120.0) -> str:
        """`docker compose` that knows both slots."""
        files = ["--file", "compose.yaml"]
        if self._file.exists():
            files += ["--file", str(self._file)]
        elif SLOTS[1] in arguments:
            return ""  # there never was one
        command = ("compose", *files, *arguments)
        done = await asyncio.to_thread(self._compose.docker, *command, timeout_s=timeout_s)
        return done.decode().strip()

    async def _docker(self, *arguments: str) -> str:
        return (await asyncio.to_thread(self._compose.docker, *arguments)).decode().strip()


def image(release: str) -> str:
    """The tag of a release; `+` of a version is no letter of a tag."""
    return f"{IMAGE}:{release.replace('+', '-')}"


def override(placed: Mapping[str, str], checkout: Path) -> dict[str, Any]:
    """What compose.yaml does not say: images by slot, and the second slot (JSON is YAML)."""
    services: dict[str, Any] = {}
    for slot, release in placed.items():
        services[slot] = {"image": image(release)}
        if slot != SLOTS[0]:
            services[slot] |= {
                "extends": {"file": str(checkout / "compose.yaml"), "service": SLOTS[0]},
                "command": ["with-env", f"{slot}.env", "python", "-m", "voice_agent", "start"],
                "healthcheck": {"test": ["CMD", "bash", HEALTH.format(slot=slot)]},
            }
    return {"services": services}

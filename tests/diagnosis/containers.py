"""A stack of processes that looks like one in containers: a `docker` that answers as Compose."""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.calls import world
from tests.diagnosis.patient import Patient

SERVICES = ("redis", "livekit", "sip", "control", "llm", "tts", "agent", "caddy")
DOCKER = """#!{python}
import io, json, os, sys, tarfile
from pathlib import Path

STATE, SHORT, ROOT, STATES = Path({state!r}), {short!r}, {root!r}, {states!r}
HANDED = {{"redis.conf": "redis", "livekit.yaml": "livekit", "livekit-keys.yaml": "livekit",
          "sip.yaml": "sip", "Caddyfile": "caddy", "kamailio.cfg": "registrar"}}


def pack(entries):
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
        for name, path in entries:
            member = tar.gettarinfo(path, name)
            member.uid = member.gid = 10001
            # In a container the state is at /state, and the files say so.
            data = path.read_bytes() if path.is_file() else b""
            data = data.replace(str(STATE).encode(), b"/state")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def below(folder, name):
    return [(name, folder), *((f"{{name}}/{{p.relative_to(folder)}}", p) for p in folder.rglob("*")
             if p.is_file() or p.is_dir())]


match sys.argv[2:]:
    case ["ps", *_]:
        for name, (state, health) in STATES.items():
            print(json.dumps({{"Service": name, "State": state, "Health": health, "ExitCode": 0}}))
    case ["run", "--rm", "--no-deps", "-T", "setup", "tar", *_]:
        root = "caddy/pki/authorities/local/root.crt"
        files = [(f"handed/{{server}}/{{name}}", STATE / "config" / name)
                 for name, server in HANDED.items()]
        secrets = below(STATE / "secrets", "state/secrets")
        pack([*secrets, (f"state/{{root}}", STATE / root), *files])
    case ["exec", "-T", "control", "tar", *_]:
        pack([e for e in below(STATE / "run", "run") if e[1].is_file() or e[1].is_dir()])
    case ["exec", "-T", "agent", "python", *rest]:
        os.chdir(ROOT)
        os.execve({python!r}, [{python!r}, *rest], dict(os.environ, TMPDIR=SHORT))
    case ["logs", *_, service]:
        os.execvp("tail", ["tail", "-n", "+1", "-F", str(STATE / "logs" / (service + ".log"))])
    case other:
        sys.exit(f"not asked in a container: {{other}}")
"""


@contextlib.contextmanager
def as_containers(
    patient: Patient, folder: Path, states: Mapping[str, tuple[str, str]] | None = None
) -> Iterator[None]:
    """Its state seems to lie in volumes; Docker says this of some services."""
    program = folder / "docker"
    known = {name: ("running", "healthy") for name in SERVICES} | dict(states or {})
    paths = patient.stack.paths
    program.write_text(
        DOCKER.format(
            python=sys.executable, state=str(paths.state), short=str(paths.short),
            root=str(world.ROOT), states=known,
        )
    )  # fmt: skip
    program.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}:{before}"
    nothing = {"STATE_DIR": "state", "VOICESTACK_CACHE": "cache"}
    patient.changed = {name: str(folder / where) for name, where in nothing.items()}
    try:
        yield
    finally:
        patient.changed = {}
        os.environ["PATH"] = before

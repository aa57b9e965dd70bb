"""Settings, secrets, rendered configuration, lines file, programs, weights: what lies on disk."""

import asyncio
import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from voicestack import credentials
from voicestack.diagnosis.model import CannotTellError, Check, Context, Finding, Verdict
from voicestack.errors import CredentialsError, LinesError, SettingsError
from voicestack.lines.model import Defaults
from voicestack.lines.parse import parse
from voicestack.native import render
from voicestack.native.paths import Paths
from voicestack.native.up import BINARIES, Stack
from voicestack.setup.manifest import place

LEG = "settings and files"
CONNECT_S = 1.0
KAMAILIO = "kamailio.cfg"
# Where a container finds its own (compose.yaml).
IN_CONTAINER = {"state_dir": Path("/state"), "voicestack_cache": Path("/cache")}
DOCKER = Path("/var/lib/docker")


@dataclass(frozen=True, slots=True)
class SettingsFacts:
    """What the settings said."""

    faults: tuple[str, ...]


async def look_settings(context: Context) -> SettingsFacts:
    """Read them as every script does."""
    try:
        conf = await asyncio.to_thread(context.load)
    except SettingsError as error:
        return SettingsFacts(tuple(str(fault) for fault in error.faults))
    except PermissionError as error:
        raise CannotTellError(
            f"{error.filename} belongs to another user", "run as the user that started the stack"
        ) from error
    context.stack = Stack(conf, context.root)
    return SettingsFacts(())


def judge_settings(facts: SettingsFacts) -> Verdict:
    """Every fault in one finding: they are mended in one go."""
    return [Finding("SET001", "\n".join(facts.faults))] if facts.faults else []


@dataclass(frozen=True, slots=True)
class SecretsFacts:
    """What reading the secrets showed."""

    made: bool
    error: str = ""
    hint: str = ""
    too_open: bool = False


async def look_secrets(context: Context) -> SecretsFacts:
    """Read them; a folder of somebody else is no fault of the stack."""
    folder = credentials.directory_of(context.settings)
    try:
        if not folder.is_dir():
            if await _somebody_listens(context.ports["livekit_http"]):
                raise CannotTellError(
                    "a stack answers on this machine, but STATE_DIR has no secrets",
                    "set STATE_DIR to its folder; if it runs in containers, look from inside one",
                )
            return SecretsFacts(made=False)
        context.held = await asyncio.to_thread(credentials.read, context.settings)
    except PermissionError as error:
        raise CannotTellError(
            f"{folder} belongs to another user", "run as the user that started the stack"
        ) from error
    except CredentialsError as error:
        return SecretsFacts(True, str(error), error.hint, too_open="has mode" in str(error))
    return SecretsFacts(made=True)


async def _somebody_listens(port: int) -> bool:
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def judge_secrets(facts: SecretsFacts) -> Verdict:
    """Missing, open, or damaged."""
    if not facts.made:
        return [Finding("SET002", "STATE_DIR/secrets does not exist")]
    if facts.error:
        return [Finding("SET003" if facts.too_open else "SET004", facts.error, do=facts.hint)]
    return []


# Keys of the rendered files that carry secrets, and those that carry NODE_IP.
SECRET_KEYS = {"requirepass", "password", "api_secret", "api_key", "the API key or secret"}
ADDRESS_KEYS = {"node_ip", "nat_1_to_1_ip", "https"}


@dataclass(frozen=True, slots=True)
class ConfigFacts:
    """Names of the keys that differ between a rendered file and what would be rendered now."""

    missing: tuple[str, ...]
    differing: Mapping[str, tuple[str, ...]]
    too_open: tuple[str, ...]
    new_address: str = ""  # today's address, where only that differs


async def look_config(context: Context) -> ConfigFacts:
    """Render again, in memory, and compare line by line."""
    stack = context.whole
    conf = stack.settings
    if context.contained:
        conf = conf.model_copy(update=IN_CONTAINER)
    there = Paths.of(conf, context.root)
    values = render.template_values(conf, stack.ports, context.secrets, there)
    missing, differing, too_open = [], {}, []
    for template, name in render.TEMPLATES.items():
        path = stack.paths.config / name
        if context.contained and name == KAMAILIO and conf.registrar == "off":
            continue  # its container is of a profile of its own
        if not path.is_file():
            missing.append(name)
            continue
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            too_open.append(name)
        wanted = render.render(stack.paths.root, template, values)
        if names := _differing(wanted, path.read_text(errors="replace")):
            differing[name] = names
    keys = stack.paths.config / "livekit-keys.yaml"
    key_line = f"{context.secrets.livekit_api_key}: {context.secrets.livekit_api_secret}\n"
    if keys.is_file() and keys.read_text() != key_line:
        differing[keys.name] = ("the API key or secret",)
    address = "" if stack.settings.listen == "loopback" else str(stack.settings.node_ip)
    only_address = {"livekit.yaml", "sip.yaml"} <= differing.keys() and all(
        set(names) <= ADDRESS_KEYS for names in differing.values()
    )
    return ConfigFacts(tuple(missing), differing, tuple(too_open), address if only_address else "")


def _differing(wanted: str, found: str) -> tuple[str, ...]:
    """Keys of lines that are in one text only; never their values, which may be secrets."""
    one, other = wanted.splitlines(), found.splitlines()
    odd = [line for line in one if line not in other] + [line for line in other if line not in one]
    keys = (line.strip().replace("://", " ").partition(":")[0].split(" ")[0] for line in odd)
    return tuple(dict.fromkeys(key for key in keys if key and not key.startswith("#")))


def judge_config(facts: ConfigFacts) -> Verdict:
    """A secret that was changed differs in several files and is one cause."""
    # "config/": what stands on a file is looked at all the same when only its mode is wrong.
    found = [
        Finding("SET009", f"{name} is readable by others", f"config/{name}")
        for name in facts.too_open
    ]
    if facts.new_address:
        seen = f"this machine's address is {facts.new_address}, the stack announces another"
        return [*found, Finding("SET010", seen)]
    found += [Finding("SET005", f"{name} is missing", name) for name in facts.missing]
    changed = {name: f"{name}: {', '.join(keys)} differs" for name, keys in facts.differing.items()}
    if len(changed) > 1 and any(SECRET_KEYS & set(keys) for keys in facts.differing.values()):
        return [*found, Finding("SET005", "a secret is new: " + "; ".join(changed.values()))]
    return found + [Finding("SET005", seen, name) for name, seen in changed.items()]


@dataclass(frozen=True, slots=True)
class LinesFacts:
    """What is wrong with the lines file."""

    faults: tuple[str, ...]


async def look_lines(context: Context) -> LinesFacts:
    """Read it as control does."""
    conf = context.settings
    defaults = Defaults(agent=conf.agent_name, max_call_minutes=conf.max_call_minutes)
    try:
        lines = await asyncio.to_thread(
            parse, conf.lines_file, secrets=credentials.directory_of(conf), defaults=defaults
        )
    except LinesError as error:
        return LinesFacts(tuple(str(fault) for fault in error.faults))
    context.lines = lines
    return LinesFacts(())


def judge_lines(facts: LinesFacts) -> Verdict:
    """Every fault in one finding."""
    return [Finding("SET006", "\n".join(facts.faults))] if facts.faults else []


@dataclass(frozen=True, slots=True)
class InstalledFacts:
    """What of the set-up is not there."""

    programs: tuple[str, ...]
    weights: Mapping[str, Path]


async def look_installed(context: Context) -> InstalledFacts:
    """Programs in the cache, weights of the models that run here."""
    stack, conf = context.whole, context.settings
    if context.contained:  # programs lie in images, weights in a volume: their servers tell
        return InstalledFacts((), {})
    programs = tuple(name for name in BINARIES if not shutil.which(stack.paths.binary(name)))
    wanted = {"stt": (conf.stt_model, None), "llm": (conf.llm_model, conf.llm_url)}
    wanted["tts"] = (conf.tts_voice, conf.tts_url)
    weights = {
        kind: place(kind, name, conf.voicestack_cache)
        for kind, (name, url) in wanted.items()
        if url is None and not place(kind, name, conf.voicestack_cache).exists()
    }
    return InstalledFacts(programs, weights)


def judge_installed(facts: InstalledFacts) -> Verdict:
    """One finding for each."""
    return [
        *(Finding("SET007", f"{name} is not in the cache", name) for name in facts.programs),
        *(Finding("SET008", f"{path} is missing", kind) for kind, path in facts.weights.items()),
    ]


# Redis' append-only file, rotated logs of eight services and a recording fit into this.
LEAST_FREE_BYTES = 100 * 1024 * 1024
LEAST_FREE_INODES = 100


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """Space on the file system of the state folder."""

    free_bytes: int
    free_inodes: int | None  # None: the file system does not count them


async def look_disk(context: Context) -> DiskFacts:
    """Ask the file system."""
    found = await asyncio.to_thread(os.statvfs, _on_disk(context))
    inodes = found.f_favail if found.f_files else None
    return DiskFacts(found.f_bavail * found.f_frsize, inodes)


def _on_disk(context: Context) -> Path:
    """What grows: state, or Docker's volumes and logs."""
    if not context.contained:
        return context.settings.state_dir
    return DOCKER if DOCKER.is_dir() else context.root


def judge_disk(facts: DiskFacts) -> Verdict:
    """Space first: without it inodes do not matter."""
    if facts.free_bytes < LEAST_FREE_BYTES:
        return [Finding("DSK001", f"{facts.free_bytes // 2**20} MiB are free below STATE_DIR")]
    if facts.free_inodes is not None and facts.free_inodes < LEAST_FREE_INODES:
        return [Finding("DSK002", f"{facts.free_inodes} inodes are free below STATE_DIR")]
    return []


SECRETS_CHECK = Check(
    "secrets",
    LEG,
    "secrets",
    look_secrets,
    judge_secrets,
    ("settings", "containers", "volumes"),
    vital=True,
)
LINES_CHECK = Check(  # the passwords that lines name lie among the secrets
    "lines file", LEG, "lines file", look_lines, judge_lines, ("settings", "volumes")
)
CHECKS = (
    Check("settings", LEG, "settings (.env)", look_settings, judge_settings, vital=True),
    SECRETS_CHECK,
    Check(
        "installed",
        LEG,
        "programs and weights",
        look_installed,
        judge_installed,
        ("settings", "volumes"),
    ),
    LINES_CHECK,
    Check("disk", LEG, "disk space", look_disk, judge_disk, needs=("secrets",)),
    Check("config", LEG, "rendered configuration", look_config, judge_config, needs=("secrets",)),
)

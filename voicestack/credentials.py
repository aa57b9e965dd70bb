"""Secrets of one stack: made once, kept as files that only their owner can read."""

import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from voicestack.errors import CredentialsError

if TYPE_CHECKING:
    from voicestack.settings import Settings

SECRET_BYTES = 32
# 32 bytes as base64url without padding (secrets.token_urlsafe) are 43 characters.
SECRET_CHARACTERS = 43
# An API key is a name, not a secret; livekit-server's own generator writes "API" and 12 characters.
KEY_BYTES = 12
KEY_CHARACTERS = 15
# The page's password is typed on phones: five groups of four characters that nobody mixes up,
# 20 x log2(31) = 99 bits.
GROUP_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
PASSWORD_GROUPS, PASSWORD_GROUP_CHARACTERS = 5, 4
PASSWORD_CHARACTERS = PASSWORD_GROUPS * (PASSWORD_GROUP_CHARACTERS + 1) - 1
NAMES = (
    "livekit_api_key",
    "livekit_api_secret",
    "redis_password",
    "control_secret",
    "page_password",
    "webhook_secret",
)
LEAST_CHARACTERS = {"livekit_api_key": KEY_CHARACTERS, "page_password": PASSWORD_CHARACTERS}


@dataclass(frozen=True, slots=True)
class Credentials:
    """The secrets of one stack. Hand services the paths, not the values."""

    directory: Path
    livekit_api_key: str
    livekit_api_secret: str = field(repr=False)
    redis_password: str = field(repr=False)
    control_secret: str = field(repr=False)  # bearer of POST /lines/apply
    page_password: str = field(repr=False)  # with which people sign in on the page
    webhook_secret: str = field(repr=False)  # signs the events that are sent out


def directory_of(settings: "Settings") -> Path:
    """Where the secrets lie."""
    return settings.state_dir / "secrets"


def ensure(settings: "Settings") -> Credentials:
    """Make what is missing, never overwrite, and read all."""
    directory = directory_of(settings)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_mode(directory, allowed=0o700)
    for name in NAMES:
        if not (directory / name).exists():
            _create(directory / name, _generate(name))
    return read(settings)


def read(settings: "Settings") -> Credentials:
    """Read the secrets; refuse one that is missing, too open, empty or short."""
    directory = directory_of(settings)
    if not directory.is_dir():
        raise CredentialsError(
            f"{directory} is missing: no secrets were made yet",
            hint="`make up` makes them; STATE_DIR says where",
        )
    _check_mode(directory, allowed=0o700)
    values = {name: _read(directory / name) for name in NAMES}
    return Credentials(directory=directory, **values)


def _generate(name: str) -> str:
    if name == "livekit_api_key":
        return "API" + secrets.token_urlsafe(KEY_BYTES)
    if name == "page_password":
        return "-".join(_group() for _ in range(PASSWORD_GROUPS))
    return secrets.token_urlsafe(SECRET_BYTES)


def _group() -> str:
    return "".join(secrets.choice(GROUP_ALPHABET) for _ in range(PASSWORD_GROUP_CHARACTERS))


def _create(path: Path, value: str) -> None:
    """Write beside and link: the name appears with its whole content or not at all."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        os.link(beside, path)  # fails where the name exists: another start was first
    except FileExistsError:
        pass
    finally:
        beside.unlink()


def _read(path: Path) -> str:
    try:
        value = path.read_text("ascii")
    except FileNotFoundError as error:
        raise CredentialsError(
            f"{path} is missing", hint="`make up` makes what is missing"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(
            f"{path} cannot be read ({type(error).__name__})",
            hint=f"run as the owner of {path.parent}, or remove the file to have it made anew",
        ) from error
    _check_mode(path, allowed=0o600)
    least = LEAST_CHARACTERS.get(path.name, SECRET_CHARACTERS)
    if value != value.strip() or len(value) < least:
        raise CredentialsError(
            f"{path} holds {len(value.strip())} characters, {least} or more are needed"
            + (" and no white space around them" if value != value.strip() else ""),
            hint="stop the stack, remove the file, and `make up` makes it anew",
        )
    return value


def _check_mode(path: Path, *, allowed: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & ~allowed:
        raise CredentialsError(
            f"{path} has mode {mode:04o}: others on this machine can read or change secrets",
            hint=f"chmod {allowed:o} {path}; if others had access, remove the file to renew it",
        )

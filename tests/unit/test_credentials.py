"""Credentials: made once, never overwritten, never shown, refused when others can read them."""

import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from voicestack import credentials, settings
from voicestack.errors import CredentialsError


@pytest.fixture
def stack(tmp_path: Path) -> settings.Settings:
    return settings.load(tmp_path, environ={})


def test_made_once_and_kept(stack: settings.Settings) -> None:
    """The second start reads what the first made."""
    first = credentials.ensure(stack)
    assert credentials.ensure(stack) == first == credentials.read(stack)


def test_modes_and_strength(stack: settings.Settings) -> None:
    """Only the owner reads them; each secret has 32 random bytes."""
    held = credentials.ensure(stack)
    assert stat.S_IMODE(held.directory.stat().st_mode) == 0o700
    files = sorted(path.name for path in held.directory.iterdir())
    assert files == sorted(credentials.NAMES)
    for name in files:
        assert stat.S_IMODE((held.directory / name).stat().st_mode) == 0o600
    assert held.livekit_api_key.startswith("API")
    secrets = {held.livekit_api_secret, held.redis_password, held.control_secret}
    assert len(secrets) == 3
    assert all(len(secret) >= 43 for secret in secrets)


def test_never_shown(stack: settings.Settings) -> None:
    """Logged by accident, they show nothing."""
    held = credentials.ensure(stack)
    for secret in (held.livekit_api_secret, held.redis_password, held.control_secret):
        assert secret not in repr(held)


def test_a_missing_one_is_made_and_the_others_stay(stack: settings.Settings) -> None:
    """Removing a file renews that secret alone."""
    first = credentials.ensure(stack)
    (first.directory / "redis_password").unlink()
    with pytest.raises(CredentialsError, match="redis_password is missing"):
        credentials.read(stack)
    second = credentials.ensure(stack)
    assert second.redis_password != first.redis_password
    assert second.livekit_api_secret == first.livekit_api_secret


def test_two_starts_at_once_agree(stack: settings.Settings) -> None:
    """Whoever is first decides; nobody reads half a secret."""
    credentials.directory_of(stack).mkdir(mode=0o700, parents=True)
    gate = threading.Barrier(8)
    made: list[credentials.Credentials] = []

    def start() -> None:
        gate.wait()
        made.append(credentials.ensure(stack))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len({each.livekit_api_secret for each in made}) == 1


@pytest.mark.parametrize(
    ("spoil", "seen"),
    [
        (lambda path: path.chmod(0o640), "0640"),
        (lambda path: path.parent.chmod(0o755), "0755"),
        (lambda path: path.write_text(""), "holds 0 characters"),
        (lambda path: path.write_text("short"), "holds 5 characters"),
        (lambda path: path.write_text("x" * 50 + "\n"), "white space"),
        (lambda path: path.write_bytes(b"\xff" * 50), "cannot be read"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
    ],
)
def test_unfit_secrets_are_refused(
    stack: settings.Settings, spoil: Callable[[Path], object], seen: str
) -> None:
    """Too open, empty, short or not text: said with the way out, and not overwritten."""
    held = credentials.ensure(stack)
    path = held.directory / "livekit_api_secret"
    spoil(path)
    for attempt in (credentials.read, credentials.ensure):
        with pytest.raises(CredentialsError, match=seen) as caught:
            attempt(stack)
        assert caught.value.hint
        assert "xxxx" not in caught.value.report()


def test_nothing_made_yet(stack: settings.Settings) -> None:
    """A stack that was never started says so."""
    with pytest.raises(CredentialsError, match="no secrets were made yet"):
        credentials.read(stack)

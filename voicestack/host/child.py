"""Run another program and keep what it said."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from voicestack.errors import VoicestackError

# Enough of what a program says to see why it failed.
LAST_LINES = 15


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    timeout_s: float,
    hint: str = "",
    stdin: bytes = b"",
) -> bytes:
    """Return what a program printed; raises when it fails, with the last of what it said."""
    words = [str(each) for each in command]
    try:
        done = subprocess.run(
            words, cwd=cwd, input=stdin, capture_output=True, timeout=timeout_s, check=False
        )
    except OSError as error:
        raise VoicestackError(
            f"{words[0]}: {error.strerror}", hint=f"install {words[0]}"
        ) from error
    except subprocess.TimeoutExpired as error:
        said = _last((error.stdout or b"") + (error.stderr or b""))
        raise VoicestackError(
            f"`{' '.join(words)}` did not end within {timeout_s:.0f} s{said}", hint=hint
        ) from error
    if done.returncode:
        said = _last(done.stdout + done.stderr)
        raise VoicestackError(
            f"`{' '.join(words)}` failed with exit code {done.returncode}{said}", hint=hint
        )
    return done.stdout


def run_into(
    command: Sequence[str | Path], target: Path, *, cwd: Path, timeout_s: float, hint: str = ""
) -> None:
    """As `run`, with what it prints in a file: it may be more than fits into memory."""
    words = [str(each) for each in command]
    try:
        with target.open("wb") as out:
            done = subprocess.run(
                words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE,
                timeout=timeout_s, check=False,
            )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VoicestackError(f"`{' '.join(words)}`: {error}", hint=hint) from error
    if done.returncode:
        said = _last(done.stderr)
        raise VoicestackError(f"`{' '.join(words)}` failed{said}", hint=hint)


def _last(output: bytes) -> str:
    lines = output.decode(errors="replace").splitlines()[-LAST_LINES:]
    return "".join(f"\n  {line}" for line in lines)

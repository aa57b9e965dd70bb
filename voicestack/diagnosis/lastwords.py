"""Why a service ended, in its own last words; texts of other programs are no API: read softly."""

from dataclasses import dataclass
from pathlib import Path

# What a program says as it ends, and of which cause. livekit-server 1.13.5 (config.go, turn.go,
# mediatransportutil rtcconfig), livekit-sip 1.8.0, Caddy 2.10, Redis 7.
PHRASES = {
    "could not resolve external IP": "ICE006",
    "invalid TURN ports": "RLY009",
    "TURN tls cert required": "RLY009",
    "TURN domain required": "RLY009",
    "could not parse config": "SET011",
    "adapting config using caddyfile": "SET011",
    "FATAL CONFIG FILE ERROR": "SET011",
}
# Whose words of an earlier end do not count any more.
STARTED = ('"starting LiveKit server"', '"serving initial configuration"', '"server starting"')
# A program that refuses its configuration says little else before it ends.
MOST_BYTES, MOST_LINES = 8192, 12


@dataclass(frozen=True, slots=True)
class Ended:
    """The cause that the words name, and the words."""

    code: str
    text: str


def of(path: Path) -> Ended | None:
    """The newest words in a log that name a cause."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - MOST_BYTES))
            lines = file.read().decode(errors="replace").splitlines()[-MOST_LINES:]
    except OSError:
        return None
    for number, line in reversed(list(enumerate(lines))):
        if any(each in line for each in STARTED):
            return None
        for phrase, code in PHRASES.items():
            if phrase in line:
                return Ended(code, _with_next(lines, number))
    return None


def _with_next(lines: list[str], number: int) -> str:
    """YAML's errors name the key in a line of their own."""
    follows = lines[number + 1].strip() if number + 1 < len(lines) else ""
    return f"{lines[number]} {follows}".strip() if lines[number].endswith(":") else lines[number]

"""What `scripts/lines.py` does: read the file, compare, apply."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from voicestack import credentials, ports, settings
from voicestack.lines.apply import Switchboard, switchboard
from voicestack.lines.model import Defaults, Line
from voicestack.lines.parse import parse
from voicestack.lines.plan import Plan
from voicestack.lines.wanted import Networks, Wanted, networks, wanted


@dataclass(frozen=True, slots=True)
class Desk:
    """The lines of one stack."""

    stack: settings.Settings
    lines: tuple[Line, ...]
    networks: Networks

    @classmethod
    def of(cls, root: Path) -> "Desk":
        """Read settings and the lines file; raises with all faults."""
        return cls.of_settings(settings.load(root))

    @classmethod
    def of_settings(cls, stack: settings.Settings) -> "Desk":
        """Read the lines file that the settings name."""
        defaults = Defaults(agent=stack.agent_name, max_call_minutes=stack.max_call_minutes)
        secrets = credentials.directory_of(stack)
        lines = parse(stack.lines_file, secrets=secrets, defaults=defaults)
        return cls(stack, lines, networks(loopback=stack.listen == "loopback"))

    def show(self) -> list[dict[str, object]]:
        """The lines as LiveKit will see them, without passwords."""
        return [
            {
                "number": line.number,
                "agent": line.agent,
                "worker": line.worker or line.agent,
                "from": self.networks.masks(line.sources) or "anywhere, with the password",
                "digest_user": line.digest.user if line.digest else None,
                "room": line.room,
                "hide_number": line.hide_number,
                "ring_timeout_s": line.ring_timeout_s,
                "max_call_minutes": line.max_call_minutes,
            }
            for line in self.lines
        ]

    async def diff(self) -> Plan:
        """What apply would change."""
        async with self._board() as board:
            return await board.plan(self._wanted())

    async def apply(self) -> Plan:
        """Change it."""
        async with self._board() as board:
            return await board.apply(self._wanted())

    def _wanted(self) -> list[Wanted]:
        now = datetime.now()
        return [wanted(line, self.networks, now) for line in self.lines]

    def _board(self) -> AbstractAsyncContextManager[Switchboard]:
        held = credentials.read(self.stack)
        url = f"http://127.0.0.1:{ports.resolve(self.stack)['livekit_http']}"
        return switchboard(url, held.livekit_api_key, held.livekit_api_secret)

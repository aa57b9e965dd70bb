"""Tell the outside that the worker is registered: a file that is there while it is."""

from pathlib import Path

from livekit.agents import AgentServer


def mark_when_registered(server: AgentServer, state_dir: Path, slot: str) -> None:
    """Write `run/SLOT-registered` with the worker's id once livekit-server has accepted it."""
    file = state_dir / "run" / f"{slot}-registered"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)

    def mark(worker_id: str, _: object) -> None:
        file.write_text(worker_id + "\n")

    server.on("worker_registered", mark)

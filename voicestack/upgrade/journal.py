"""What an upgrade has done so far, on disk: the way back survives a crash of the upgrade."""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

# Below the folder that git ignores.
PLACE = Path(".state/upgrade.json")


@dataclass(frozen=True, slots=True)
class Journal:
    """From where to where, and how far."""

    old: str
    new: str
    backup: str
    stage: str = "begun"  # begun, replaced, done, back
    # What the runtime needs for its way back: images by name.
    kept: dict[str, str] = field(default_factory=dict)

    def at(self, checkout: Path, stage: str) -> "Journal":
        """Write down that a stage is reached."""
        now = replace(self, stage=stage)
        path = checkout / PLACE
        path.parent.mkdir(mode=0o700, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("w") as file:
            json.dump(asdict(now), file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        return now


def read(checkout: Path) -> Journal | None:
    """The last upgrade, if there was one."""
    try:
        return Journal(**json.loads((checkout / PLACE).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None

"""Go to a new version of the stack, and back by itself if that does not answer.

Examples:
    scripts/upgrade.py --dry-run
    scripts/upgrade.py v0.2.0
    scripts/upgrade.py --rollback
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A machine with Docker has a python3 and no .venv of ours.
sys.path.insert(0, str(ROOT))

from voicestack.upgrade.command import main  # noqa: E402 - after the path to it

if __name__ == "__main__":
    raise SystemExit(main(None, ROOT))

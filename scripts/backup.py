"""Put lines, settings, secrets, history and recordings into one file; the stack may be up.

Examples:
    .venv/bin/python scripts/backup.py voicestack.backup
    .venv/bin/python scripts/backup.py --recipient age1… /mnt/nas/voicestack.backup
    python3 scripts/backup.py --runtime compose voicestack.backup
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A machine with Docker has a python3 and no .venv of ours.
sys.path.insert(0, str(ROOT))

from voicestack.host.keepsake import backup  # noqa: E402 - after the path to it

if __name__ == "__main__":
    raise SystemExit(backup(None, ROOT))

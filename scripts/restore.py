"""Put a backup back onto a machine that has no stack yet; `make up` then answers as before.

Examples:
    .venv/bin/python scripts/restore.py voicestack.backup
    .venv/bin/python scripts/restore.py --identity key.txt /mnt/nas/voicestack.backup --json
    python3 scripts/restore.py --runtime compose voicestack.backup
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A machine with Docker has a python3 and no .venv of ours.
sys.path.insert(0, str(ROOT))

from voicestack.host.keepsake import restore  # noqa: E402 - after the path to it

if __name__ == "__main__":
    raise SystemExit(restore(None, ROOT))

"""Print user-data for cloud-init: a fresh virtual machine becomes a stack by itself.

Examples:
    scripts/cloud_init.py --distribution debian-13 >user-data
    scripts/cloud_init.py --env public.env --ssh-from 203.0.113.0/24 >user-data
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A machine with Docker has a python3 and no .venv of ours.
sys.path.insert(0, str(ROOT))

from voicestack.host.cloud import main  # noqa: E402 - after the path to it

if __name__ == "__main__":
    raise SystemExit(main(None, ROOT))

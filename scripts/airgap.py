"""Pack checkout, images and models into one archive for a machine without a way out.

Examples:
    scripts/airgap.py pack voicestack.tar
    scripts/airgap.py verify voicestack.tar --sha256 9f86d0…
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A machine with Docker has a python3 and no .venv of ours.
sys.path.insert(0, str(ROOT))

from voicestack.host.airgap import main  # noqa: E402 - after the path to it

if __name__ == "__main__":
    raise SystemExit(main(None, ROOT))

"""Set up what the stack needs beyond .venv.

Examples:
    .venv/bin/python scripts/setup.py
    .venv/bin/python scripts/setup.py --check --json    # what is missing; exit 1 if anything
    .venv/bin/python scripts/setup.py --verify          # read every weight file again
"""

from voicestack.setup.__main__ import main

if __name__ == "__main__":
    raise SystemExit(main())

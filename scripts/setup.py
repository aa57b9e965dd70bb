"""Set up what the stack needs beyond .venv: `scripts/setup.py [--check] [--json] [--verify]`."""

from voicestack.setup.__main__ import main

if __name__ == "__main__":
    raise SystemExit(main())

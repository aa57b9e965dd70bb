"""Several scripted callers at a time. Example: scripts/load_test.py --calls 4."""

from voicestack.cli.frame import single
from voicestack.cli.load import load_test

if __name__ == "__main__":
    single(load_test)()

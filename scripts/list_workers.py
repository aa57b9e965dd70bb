"""The workers and their calls. Example: scripts/list_workers.py --json."""

from voicestack.cli.frame import single
from voicestack.cli.workers import list_workers

if __name__ == "__main__":
    single(list_workers)()

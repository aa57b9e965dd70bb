"""What runs of the stack. Example: scripts/status.py --json | jq .services."""

from voicestack.cli.frame import single
from voicestack.cli.stack import status

if __name__ == "__main__":
    single(status)()

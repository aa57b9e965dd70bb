"""Start the stack and wait until a call would be answered. Example: scripts/up.py --json."""

from voicestack.cli.frame import single
from voicestack.cli.stack import up

if __name__ == "__main__":
    single(up)()

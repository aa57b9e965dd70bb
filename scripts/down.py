"""Stop the stack; calls may end first. Example: scripts/down.py --now."""

from voicestack.cli.frame import single
from voicestack.cli.stack import down

if __name__ == "__main__":
    single(down)()

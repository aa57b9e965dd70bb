"""End a call, or all. Example: scripts/hangup.py --all."""

from voicestack.cli.calls import hangup
from voicestack.cli.frame import single

if __name__ == "__main__":
    single(hangup)()

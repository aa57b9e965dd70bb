"""Send an agent into a room. Example: scripts/dispatch.py kitchen --agent sales."""

from voicestack.cli.calls import dispatch
from voicestack.cli.frame import single

if __name__ == "__main__":
    single(dispatch)()

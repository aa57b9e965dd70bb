"""An agent calls somebody. Example: scripts/make_call.py +15105550123 --agent sales --wait."""

from voicestack.cli.frame import single
from voicestack.cli.make_call import make_call

if __name__ == "__main__":
    single(make_call)()

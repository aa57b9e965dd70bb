"""Call the agent and show what is heard. Example: scripts/test_call.py "When are you open?"."""

from voicestack.cli.call import call
from voicestack.cli.frame import single

if __name__ == "__main__":
    single(call)()

"""A further agent from a template. Example: scripts/new_agent.py sales."""

from voicestack.cli.agents import new_agent
from voicestack.cli.frame import single

if __name__ == "__main__":
    single(new_agent)()

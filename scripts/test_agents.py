"""Conversations with agents by script. Example: scripts/test_agents.py --no-judge."""

from voicestack.cli.frame import single
from voicestack.cli.rehearse import rehearse

if __name__ == "__main__":
    single(rehearse)()

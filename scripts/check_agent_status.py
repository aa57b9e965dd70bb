"""The calls that are up, and free lines. Example: scripts/check_agent_status.py --watch."""

from voicestack.cli.frame import single
from voicestack.cli.workers import check_agent_status

if __name__ == "__main__":
    single(check_agent_status)()

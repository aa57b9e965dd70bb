"""A new version of the agent, no call cut. Example: scripts/deploy_agent.py --rollback."""

from voicestack.cli.deploy import deploy_agent
from voicestack.cli.frame import single

if __name__ == "__main__":
    single(deploy_agent)()

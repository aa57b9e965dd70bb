"""A carrier's number as a line. Example: scripts/add_carrier.py twilio --number +15105550100."""

from voicestack.cli.add_carrier import add_carrier
from voicestack.cli.frame import single

if __name__ == "__main__":
    single(add_carrier)()

"""Find out what is wrong, leg by leg. Example: scripts/sanity_check.py --quick."""

from voicestack.cli.frame import single
from voicestack.cli.sanity_check import sanity_check

if __name__ == "__main__":
    single(sanity_check)()

"""A token that joins one room. Example: scripts/mint_token.py --room kitchen --identity ada."""

from voicestack.cli.frame import single
from voicestack.cli.mint_token import mint_token

if __name__ == "__main__":
    single(mint_token)()

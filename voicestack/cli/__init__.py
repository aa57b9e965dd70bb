"""The operator's commands: `voicestack VERB`, and `scripts/VERB.py` for each of them."""

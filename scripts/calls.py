"""The call history. Example: scripts/calls.py list --limit 50."""

from voicestack.cli.calls import app

if __name__ == "__main__":
    app()

"""Events of calls for our own programs. Example: scripts/webhooks.py list."""

from voicestack.cli.webhooks import app

if __name__ == "__main__":
    app()

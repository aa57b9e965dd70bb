"""Look into rooms and change them. Example: scripts/rooms.py list."""

from voicestack.cli.rooms import app

if __name__ == "__main__":
    app()

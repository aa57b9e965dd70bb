"""Softphones that may register. Example: scripts/phones.py add anna --number +15550201."""

from voicestack.cli.phones import app

if __name__ == "__main__":
    app()

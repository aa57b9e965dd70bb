"""The phone lines of sip/lines.yaml. Example: scripts/lines.py diff."""

from voicestack.cli.lines import app

if __name__ == "__main__":
    app()

"""Agents call the numbers of a list. Example: scripts/call_queue.py run customers.csv."""

from voicestack.cli.call_queue import app

if __name__ == "__main__":
    app()

"""The agent worker: answers phone calls. Start reading at worker.py."""

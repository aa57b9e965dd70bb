"""A new version of the agent beside the old one: proved, switched to, and back with one command."""

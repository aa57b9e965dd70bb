"""Local language and speech models behind OpenAI-compatible HTTP servers on loopback.

Each runs in a process of its own; the agent reaches it, or any other such server, by URL alone.
"""

"""Agents tried out before callers do: conversations by script, in text or on the telephone."""

"""Carriers: what is known of them, and how a number of theirs becomes a line."""

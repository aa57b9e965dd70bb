"""Calls that we place: who may be called and when, through which carrier, and what came of it."""

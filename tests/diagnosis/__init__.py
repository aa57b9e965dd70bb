"""Faults put into a real stack, and evidence put before the judges: each names its one cause."""

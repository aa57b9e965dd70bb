"""Real calls through real servers; only what must fail on purpose is a fake."""

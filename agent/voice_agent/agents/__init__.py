"""Named agents, one module each."""

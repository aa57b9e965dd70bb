"""Which ports a firewall must let in, from whom: rules, their forms, and what really listens."""

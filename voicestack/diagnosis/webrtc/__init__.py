"""A browser's half of a call, without a browser: signalling, ICE, relay, and sound."""

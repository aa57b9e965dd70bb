"""The legs of a call, one module each: what to look at, how to judge it."""

"""A new version of the stack, with a way back that it takes by itself."""

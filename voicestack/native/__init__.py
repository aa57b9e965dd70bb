"""The stack as child processes under one supervisor, for machines without a container engine."""

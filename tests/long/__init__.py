"""Tests that take many minutes of both cores: `make test-long`."""

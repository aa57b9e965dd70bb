"""Tests that take many minutes of both cores: `make test-long`."""

from tests.calls.conftest import utterances

__all__ = ["utterances"]

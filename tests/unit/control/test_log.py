"""Log lines: one JSON object each, without tokens."""

import json
import logging

import pytest
import structlog

from control import log


@pytest.fixture(autouse=True)
def _restore() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_ours_and_libraries_lines_look_alike(capsys: pytest.CaptureFixture[str]) -> None:
    """A fixed phrase, a level, a time, fields; tokens are blanked out whoever logs them."""
    log.configure("info")
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"
    structlog.get_logger().info("line changed", line="+15550100", seen=f"Bearer {token}")
    logging.getLogger("some.library").warning("got %s", token)
    structlog.get_logger().debug("not shown")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["event"], first["level"], first["line"]) == ("line changed", "info", "+15550100")
    assert first["seen"] == "Bearer (token)"
    assert second["event"] == "got (token)"
    assert "timestamp" in second

"""One real Redis and livekit-server for the tests of lines; each test finds them without lines."""

from collections.abc import Iterator

import pytest
from tests.servers import Servers, binary, servers


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Started once: what a test needs is no lines, not a new Redis."""
    if not binary("livekit-server").exists():
        pytest.skip("livekit-server is not built yet: make setup")
    with servers(tmp_path_factory.mktemp("lines"), webhook_port=0) as stack:
        stack.start_redis()
        stack.start_livekit()
        yield stack


@pytest.fixture
def server(running: Servers) -> Servers:
    """The servers, without lines."""
    running.forget_lines()
    return running

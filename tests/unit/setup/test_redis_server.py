"""Redis is the binary of the distribution, under its own name, without a service."""

from pathlib import Path

import pytest
from tests.unit.setup.fakes import program

from voicestack.setup.errors import ToolMissingError
from voicestack.setup.progress import Plain
from voicestack.setup.redis_server import RedisStep

# As the real one: what it does depends on the name it is called by.
REDIS = 'case "$0" in *redis-server) echo "Redis server v=7.0.15 sha=0";; *) exit 1;; esac'


def test_tool_becomes_the_server(tmp_path: Path, talk: Plain, said: list[str]) -> None:
    """redis-check-rdb is linked as redis-server and answers as one."""
    program(tmp_path / "bin" / "redis-check-rdb", REDIS)
    step = RedisStep(tmp_path / "cache", path=str(tmp_path / "bin"))
    assert step.missing()
    step.run(talk)
    assert step.missing() is None
    assert step.link.resolve() == tmp_path / "bin" / "redis-check-rdb"
    assert said[-1].strip().startswith("Redis server v=7.0.15 from")


def test_server_of_the_system_comes_first(tmp_path: Path, talk: Plain) -> None:
    """Where redis-server is installed it is used."""
    program(tmp_path / "bin" / "redis-check-rdb", REDIS)
    program(tmp_path / "bin" / "redis-server", REDIS)
    step = RedisStep(tmp_path / "cache", path=str(tmp_path / "bin"))
    step.run(talk)
    assert step.link.readlink() == tmp_path / "bin" / "redis-server"


def test_link_of_its_own_is_not_a_server(tmp_path: Path, talk: Plain) -> None:
    """With the cache on PATH the link is not pointed at itself."""
    program(tmp_path / "bin" / "redis-check-rdb", REDIS)
    step = RedisStep(tmp_path / "cache", path=f"{tmp_path / 'cache' / 'bin'}:{tmp_path / 'bin'}")
    step.run(talk)
    step.run(talk)
    assert step.link.resolve() == tmp_path / "bin" / "redis-check-rdb"


def test_removed_package_is_noticed(tmp_path: Path, talk: Plain) -> None:
    """A link that leads nowhere is missing, and the error names the package."""
    tool = program(tmp_path / "bin" / "redis-check-rdb", REDIS)
    step = RedisStep(tmp_path / "cache", path=str(tmp_path / "bin"))
    step.run(talk)
    tool.unlink()
    assert step.missing()
    with pytest.raises(ToolMissingError) as caught:
        step.run(talk)
    assert "apt-get install redis-tools" in caught.value.hint

"""Downloads from the hub are whole, resumed when cut, and never trusted."""

import hashlib
from pathlib import Path

import pytest
from tests.unit.setup.fakes import FakeHub, hub_variant, url_path, weight_file

from voicestack.setup.errors import AlteredFileError, HubError, HubUnreachableError
from voicestack.setup.hub import Hub
from voicestack.setup.progress import Plain

BODY = bytes(range(256)) * 4096  # 1 MiB
FILE = weight_file("model.bin", BODY)


def fetch(hub: FakeHub, folder: Path, talk: Plain, pauses: list[float] | None = None) -> Path:
    target = folder / "models" / "model.bin"
    pauses = [] if pauses is None else pauses
    client = Hub(folder / "downloads", hub.endpoint, sleep=pauses.append)
    with talk.work("model.bin", total=len(BODY)) as work:
        client.fetch(hub_variant(FILE), FILE, target, work)
    return target


def part(folder: Path) -> Path:
    return folder / "downloads" / f"{FILE.sha256}.part"


def test_whole_file_gets_its_name(hub: FakeHub, tmp_path: Path, talk: Plain) -> None:
    """A download ends with the file in place and no part left."""
    hub.files[url_path("model.bin")] = BODY
    assert fetch(hub, tmp_path, talk).read_bytes() == BODY
    assert not list((tmp_path / "downloads").iterdir())


def test_cut_transfer_goes_on(hub: FakeHub, tmp_path: Path, talk: Plain) -> None:
    """After a cut only the rest is asked for, and the hash is that of the whole."""
    hub.files[url_path("model.bin")] = BODY
    hub.cuts = 2
    pauses: list[float] = []
    assert fetch(hub, tmp_path, talk, pauses).read_bytes() == BODY
    assert hub.ranges == [None, f"bytes={len(BODY) // 2}-", f"bytes={len(BODY) * 3 // 4}-"]
    assert len(pauses) == 2


def test_part_of_an_earlier_run_is_used(hub: FakeHub, tmp_path: Path, talk: Plain) -> None:
    """A run that was killed left a part; the next one asks for the rest."""
    hub.files[url_path("model.bin")] = BODY
    part(tmp_path).parent.mkdir()
    part(tmp_path).write_bytes(BODY[:1000])
    assert fetch(hub, tmp_path, talk).read_bytes() == BODY
    assert hub.ranges == ["bytes=1000-"]


def test_complete_part_needs_no_traffic(hub: FakeHub, tmp_path: Path, talk: Plain) -> None:
    """Killed between the last byte and the rename: nothing is fetched again."""
    part(tmp_path).parent.mkdir()
    part(tmp_path).write_bytes(BODY)
    assert fetch(hub, tmp_path, talk).read_bytes() == BODY
    assert hub.ranges == []


def test_ignored_range_starts_over(hub: FakeHub, tmp_path: Path, talk: Plain) -> None:
    """A server that answers a range with the whole file does not spoil it."""
    hub.files[url_path("model.bin")] = BODY
    hub.ignores_ranges = True
    part(tmp_path).parent.mkdir()
    part(tmp_path).write_bytes(BODY[:1000])
    assert fetch(hub, tmp_path, talk).read_bytes() == BODY


def test_altered_file_is_refused(hub: FakeHub, tmp_path: Path, talk: Plain) -> None:
    """Other bytes of the same length never get the name, nor are they resumed."""
    altered = bytearray(BODY)
    altered[5000] ^= 1
    hub.files[url_path("model.bin")] = bytes(altered)
    received = hashlib.sha256(altered).hexdigest()
    with pytest.raises(AlteredFileError, match=f"{received[:16]}.*{FILE.sha256[:16]}"):
        fetch(hub, tmp_path, talk)
    assert not (tmp_path / "models" / "model.bin").exists()
    assert not part(tmp_path).exists()


def test_another_file_is_refused_before_it_is_fetched(
    hub: FakeHub, tmp_path: Path, talk: Plain
) -> None:
    """A login page in place of the file is told by its length."""
    hub.files[url_path("model.bin")] = b"<html>please log in</html>"
    with pytest.raises(HubError, match=f"would send 26 bytes, the manifest says {len(BODY)}"):
        fetch(hub, tmp_path, talk)


def test_error_answers_are_named(hub: FakeHub, tmp_path: Path, talk: Plain) -> None:
    """The status and the address are in the text; the hint names the other source."""
    with pytest.raises(HubError, match=r"model\.bin answered 404") as caught:
        fetch(hub, tmp_path, talk)
    assert "MODELS_SOURCE=packages" in caught.value.hint


def test_hub_that_is_away_costs_one_attempt(hub: FakeHub, tmp_path: Path, talk: Plain) -> None:
    """No answer on the port: no second attempt, and the error tells that apart."""
    hub.close()
    pauses: list[float] = []
    with pytest.raises(HubUnreachableError, match=r"at 127\.0\.0\.1 cannot be reached"):
        fetch(hub, tmp_path, talk, pauses)
    assert pauses == []


def test_cuts_without_a_byte_are_given_up(hub: FakeHub, tmp_path: Path, talk: Plain) -> None:
    """A way that brings nothing three times in a row is broken; what came before is kept."""
    hub.files[url_path("model.bin")] = BODY
    hub.cuts, hub.cut_at_zero = 99, True
    part(tmp_path).parent.mkdir()
    part(tmp_path).write_bytes(BODY[:1000])
    with pytest.raises(HubError, match=f"cut at 1000 of {len(BODY)} bytes, 3 times"):
        fetch(hub, tmp_path, talk)
    assert part(tmp_path).stat().st_size == 1000

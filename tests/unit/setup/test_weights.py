"""Weights are whole or refused, and come from the hub or, failing that, from packages."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.unit.setup.fakes import FakeHub, hub_variant, model, url_path, weight_file, wheel

from voicestack.setup import manifest as manifest_module
from voicestack.setup.errors import HubUnreachableError, SetupError
from voicestack.setup.hub import Hub
from voicestack.setup.manifest import Source, Variant
from voicestack.setup.packages import Packages
from voicestack.setup.progress import Plain
from voicestack.setup.weights import WeightsStep

BODY = b"weights of the hub " * 5000
PACKED = b"weights of the package " * 5000
CONFIG = b"{}"
FROM_HUB = hub_variant(weight_file("model.bin", BODY), weight_file("vocabulary.txt", CONFIG))
FROM_PACKAGES = Variant(
    Source.PACKAGES,
    (
        weight_file("model.bin", PACKED, "tiny-1:tiny_1/model.bin"),
        weight_file("vocabulary.json", CONFIG, "tiny-1:tiny_1/vocabulary.json"),
    ),
)


@pytest.fixture
def step(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WeightsStep:
    """One model on a hub that answers, and in a package that pip finds."""
    hub.files = {url_path("model.bin"): BODY, url_path("vocabulary.txt"): CONFIG}
    lock = tmp_path / "models.txt"
    members = {"tiny_1/model.bin": PACKED, "tiny_1/vocabulary.json": CONFIG}
    lock.write_text(wheel(tmp_path / "links", "tiny-1", members))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    return make_step(hub, tmp_path)


def make_step(server: FakeHub, folder: Path, **changes: Any) -> WeightsStep:
    given: dict[str, Any] = {
        "manifest": {"tiny": model(FROM_HUB, FROM_PACKAGES)},
        "wanted": (("stt", "tiny"),),
        "cache": folder,
        "source": "auto",
        "hub": Hub(folder / "downloads", server.endpoint, sleep=lambda _: None),
        "packages": Packages(folder / "models.txt", folder / "downloads"),
    }
    return WeightsStep(**given | changes)


def names(folder: Path) -> set[str]:
    return {path.name for path in (folder / "models" / "tiny").iterdir()}


def test_hub_is_the_default(step: WeightsStep, tmp_path: Path, talk: Plain) -> None:
    """Fetched once; the next look finds all there without traffic."""
    assert step.missing() == "tiny is not there yet"
    step.run(talk)
    assert step.missing() is None
    assert names(tmp_path) == {"model.bin", "vocabulary.txt"}


@pytest.mark.parametrize("harm", ["truncated", "altered"])
def test_harmed_file_is_refused_and_fetched_again(
    step: WeightsStep, hub: FakeHub, tmp_path: Path, talk: Plain, said: list[str], harm: str
) -> None:
    """Only the harmed file is fetched again, and the line says why."""
    step.run(talk)
    file = tmp_path / "models" / "tiny" / "model.bin"
    file.write_bytes(BODY[:-1] if harm == "truncated" else BODY[:-1] + b"!")
    hub.ranges.clear()
    assert step.missing() == "tiny is altered, truncated or incomplete"
    step.run(talk)
    assert file.read_bytes() == BODY
    assert len(hub.ranges) == 1
    assert "  model.bin: altered or truncated, refused and removed" in said


def test_harmed_file_is_gone_also_if_nothing_replaces_it(
    step: WeightsStep, hub: FakeHub, tmp_path: Path, talk: Plain
) -> None:
    """With the hub away, no server finds the altered file under its name."""
    step.run(talk)
    (tmp_path / "models" / "tiny" / "model.bin").write_bytes(b"other")
    hub.close()
    with pytest.raises(HubUnreachableError):
        make_step(hub, tmp_path, source="hub").run(talk)
    assert names(tmp_path) == {"vocabulary.txt"}


def test_unchanged_file_is_read_only_on_request(
    step: WeightsStep, hub: FakeHub, tmp_path: Path, talk: Plain
) -> None:
    """Size and time decide at each start; --verify reads every byte."""
    step.run(talk)
    assert step.missing() is None
    file = tmp_path / "models" / "tiny" / "model.bin"
    stat = file.stat()
    file.write_bytes(BODY[:-1] + b"!")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert make_step(hub, tmp_path).missing() is None
    assert make_step(hub, tmp_path, verify=True).missing()


def test_lost_record_costs_one_reading(step: WeightsStep, tmp_path: Path, talk: Plain) -> None:
    """A cut record of verified files is no reason to fetch."""
    step.run(talk)
    (tmp_path / "models" / ".verified.json").write_text('{"cut')
    assert step.missing() is None


def test_packages_stand_in_for_a_hub_that_is_away(
    step: WeightsStep, hub: FakeHub, tmp_path: Path, talk: Plain, said: list[str]
) -> None:
    """auto: a line says so, and the files are those of the package."""
    hub.close()
    step.run(talk)
    assert names(tmp_path) == {"model.bin", "vocabulary.json"}
    assert any("taking tiny from Python packages instead" in line for line in said)
    assert step.missing() is None


def test_packages_stand_in_for_an_altered_file(
    step: WeightsStep, hub: FakeHub, tmp_path: Path, talk: Plain
) -> None:
    """What the hub gave before the refusal is not left beside the package's files."""
    hub.files = {url_path("model.bin"): BODY, url_path("vocabulary.txt"): b"[]"}
    step.run(talk)
    assert names(tmp_path) == {"model.bin", "vocabulary.json"}
    assert (tmp_path / "models" / "tiny" / "model.bin").read_bytes() == PACKED


def test_hub_that_is_away_is_asked_once(
    hub: FakeHub, tmp_path: Path, talk: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connect timeout is paid for one model, not for each."""
    asked = []

    class AwayHub(Hub):
        def fetch(self, *args: Any) -> None:
            asked.append(args)
            raise HubUnreachableError("away")

    both = {name: model(FROM_HUB, FROM_PACKAGES, name=name) for name in ("one", "two")}
    step = make_step(
        hub,
        tmp_path,
        manifest=both,
        wanted=(("stt", "one"), ("stt", "two")),
        hub=AwayHub(tmp_path),
    )
    monkeypatch.setattr(WeightsStep, "_from_packages", lambda *_: None)
    step.run(talk)
    assert len(asked) == 1


def test_chosen_source_is_the_only_one(
    step: WeightsStep, hub: FakeHub, tmp_path: Path, talk: Plain
) -> None:
    """MODELS_SOURCE=packages never asks the hub."""
    make_step(hub, tmp_path, source="packages").run(talk)
    assert hub.ranges == []
    assert names(tmp_path) == {"model.bin", "vocabulary.json"}


def test_model_that_the_source_lacks(hub: FakeHub, tmp_path: Path, talk: Plain) -> None:
    """The hint names where it is and which variable chooses another."""
    only_hub = {"tiny": model(FROM_HUB, kind="llm")}
    step = make_step(hub, tmp_path, manifest=only_hub, wanted=(("llm", "tiny"),), source="packages")
    with pytest.raises(SetupError, match="cannot be had from MODELS_SOURCE=packages") as caught:
        step.run(talk)
    assert "it is on hub" in caught.value.hint
    assert "LLM_MODEL" in caught.value.hint


def test_model_of_the_operator(hub: FakeHub, tmp_path: Path, talk: Plain) -> None:
    """A name that the manifest does not know works once its file is there."""
    step = make_step(hub, tmp_path, wanted=(("llm", "mine"),))
    assert step.missing() == "mine is not known"
    with pytest.raises(SetupError, match="mine is not a model that the set-up knows"):
        step.run(talk)
    (tmp_path / "models" / "llm").mkdir(parents=True)
    (tmp_path / "models" / "llm" / "mine.gguf").write_bytes(b"GGUF")
    assert step.missing() is None


def test_full_disk_is_told_before_the_download(
    step: WeightsStep, hub: FakeHub, talk: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Free and needed are in the text, the variable in the hint."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 1))
    with pytest.raises(SetupError, match="0 MiB are free") as caught:
        step.run(talk)
    assert "VOICESTACK_CACHE" in caught.value.hint
    assert hub.ranges == []


def test_manifest_and_locks_fit_together() -> None:
    """Default models are in both sources, or made of such; all packages are locked."""
    models = manifest_module.read()
    root = Path(__file__).parents[3]
    lock = (root / "requirements" / "models.txt").read_text()
    both = {Source.HUB, Source.PACKAGES}
    for name in ("whisper-base", "SmolLM2-135M-Instruct.Q4_1", "en_US-joe-medium"):
        assert {variant.source for variant in models[name].variants} == both
    for each in models.values():
        for variant in each.variants:
            assert variant.source is not Source.HUB or len(variant.revision) == 40
            assert variant.source is not Source.MADE or variant.of in models
            for file in variant.files:
                assert len(bytes.fromhex(file.sha256)) == 32
                if variant.source is Source.PACKAGES:
                    assert all(f"{part.split(':')[0]}==" in lock for part in file.parts)
        served = manifest_module.place(each.kind, each.name, Path()).name
        every_file = {file.name for variant in each.variants for file in variant.files}
        assert each.kind == "stt" or served in every_file

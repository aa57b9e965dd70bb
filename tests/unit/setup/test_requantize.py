"""Weights of a language model are written anew as Q4_0, and nothing else about them changes."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, LlamaFileType, quants
from tests.unit.setup.fakes import FakeHub, hub_variant, url_path, weight_file

from voicestack.setup import requantize
from voicestack.setup.errors import AlteredFileError
from voicestack.setup.files import sha256_of
from voicestack.setup.hub import Hub
from voicestack.setup.manifest import Model, Source, Variant, WeightFile
from voicestack.setup.packages import Packages
from voicestack.setup.progress import Plain
from voicestack.setup.weights import WeightsStep

Q4_1, Q4_0 = GGMLQuantizationType.Q4_1, GGMLQuantizationType.Q4_0
ROWS = np.random.default_rng(1).normal(0, 0.05, (8, 64)).astype(np.float32)
NORM = np.linspace(0.5, 1.5, 64, dtype=np.float32)
WORDS = ["<s>", "hello", "Grüße"]


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A model of two tensors and a vocabulary of three words."""
    file = tmp_path / "tiny.Q4_1.gguf"
    writer = GGUFWriter(file, "llama")
    writer.add_file_type(LlamaFileType.MOSTLY_Q4_1)
    writer.add_token_list(WORDS)
    writer.add_context_length(2048)
    writer.add_tensor("blk.weight", quants.quantize(ROWS, Q4_1), raw_dtype=Q4_1)
    writer.add_tensor("norm.weight", NORM)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def test_q4_1_becomes_q4_0_and_the_rest_stays(original: Path, tmp_path: Path) -> None:
    """Weights stay within a step of Q4_0; other tensors and the vocabulary are the same."""
    made = tmp_path / "tiny.Q4_0.gguf"
    requantize.q4_0(original, made)
    read = GGUFReader(made)
    weights, norm = read.tensors
    assert weights.tensor_type is Q4_0
    assert np.abs(quants.dequantize(weights.data, Q4_0) - ROWS).max() < np.abs(ROWS).max() / 6
    np.testing.assert_array_equal(norm.data, NORM)
    assert read.fields["tokenizer.ggml.tokens"].contents() == WORDS
    assert read.fields["llama.context_length"].contents() == 2048
    assert read.fields["general.file_type"].contents() == LlamaFileType.MOSTLY_Q4_0


def step(hub: FakeHub, folder: Path, original: Path, sha256: str, size: int) -> WeightsStep:
    """One wanted model, made of another one that the hub has."""
    body = original.read_bytes()
    hub.files = {url_path(original.name): body}
    made = WeightFile("tiny.Q4_0.gguf", size, sha256, (original.name,))
    models = (
        Model("tiny.Q4_1", "llm", "", "", (hub_variant(weight_file(original.name, body)),)),
        Model("tiny.Q4_0", "llm", "", "", (Variant(Source.MADE, (made,), of="tiny.Q4_1"),)),
    )
    return WeightsStep(
        manifest={model.name: model for model in models},
        wanted=(("llm", "tiny.Q4_0"),),
        cache=folder / "cache",
        source="auto",
        hub=Hub(folder / "downloads", hub.endpoint, sleep=lambda _: None),
        packages=Packages(folder / "models.txt", folder / "downloads"),
    )


def test_original_is_fetched_and_not_kept(
    hub: FakeHub, original: Path, tmp_path: Path, talk: Plain
) -> None:
    """Only what is wanted stays on the disk, and the next look finds it whole."""
    expected = tmp_path / "expected.gguf"
    requantize.q4_0(original, expected)
    made = step(hub, tmp_path, original, sha256_of(expected), expected.stat().st_size)
    assert made.missing() == "tiny.Q4_0 is not there yet"
    made.run(talk)
    assert made.missing() is None
    assert [path.name for path in (tmp_path / "cache/models/llm").iterdir()] == ["tiny.Q4_0.gguf"]


def test_other_bytes_are_refused(hub: FakeHub, original: Path, tmp_path: Path, talk: Plain) -> None:
    """A conversion that went differently here is no model of ours."""
    made = step(hub, tmp_path, original, "0" * 64, 1)
    with pytest.raises(AlteredFileError, match="made of tiny"):
        made.run(talk)
    assert made.missing() == "tiny.Q4_0 is not there yet"

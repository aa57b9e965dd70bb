"""models.toml: which weights there are, what their bytes must be, where they come from."""

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

MANIFEST_FILE = Path(__file__).with_name("models.toml")


class Source(StrEnum):
    """Where weights come from."""

    HUB = "hub"
    PACKAGES = "packages"
    MADE = "made"  # of another model of the manifest, whatever the source of that one


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of a model, as one source gives it."""

    name: str
    size_bytes: int
    sha256: str
    # hub: path in the repository; packages: "package:member", joined; made: file of the original
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """A model as one source gives it."""

    source: Source
    files: tuple[WeightFile, ...]
    repo: str = ""  # hub only
    revision: str = ""
    of: str = ""  # made only: name of the original

    @property
    def size_bytes(self) -> int:
        """How much there is to fetch, near enough: wheels are a little smaller."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Model:
    """One set of weights."""

    name: str
    kind: str  # stt, llm or tts
    about: str
    licence: str
    variants: tuple[Variant, ...]

    def folder(self, cache: Path) -> Path:
        """Say in which folder its files lie."""
        served = place(self.kind, self.name, cache)
        return served if self.kind == "stt" else served.parent


def place(kind: str, name: str, cache: Path) -> Path:
    """Say which file (Whisper: folder) of the cache a server is given."""
    models = cache / "models"
    if kind == "stt":
        return models / name
    return models / "llm" / f"{name}.gguf" if kind == "llm" else models / "piper" / f"{name}.onnx"


def read(file: Path = MANIFEST_FILE) -> dict[str, Model]:
    """Read all models, by name."""
    text: dict[str, Any] = tomllib.loads(file.read_text())
    return {name: _model(name, raw) for name, raw in text["models"].items()}


def _model(name: str, raw: dict[str, Any]) -> Model:
    variants = tuple(
        Variant(
            source,
            tuple(
                WeightFile(file["name"], file["size"], file["sha256"], tuple(file["parts"]))
                for file in raw[source]["files"]
            ),
            raw[source].get("repo", ""),
            raw[source].get("revision", ""),
            raw[source].get("of", ""),
        )
        for source in Source
        if source in raw
    )
    return Model(name, raw["kind"], raw["about"], raw["licence"], variants)

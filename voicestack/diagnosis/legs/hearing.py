"""Ears: a known sentence to the speech engine that the worker's calls share."""

import asyncio
import json
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from faster_whisper_engine import wire
from voicestack.diagnosis import borrowed
from voicestack.diagnosis.model import CannotTellError, Check, Context, Finding, Verdict
from voicestack.phone import audio

LEG = "hearing"
# A spoken sentence whose words are known comes with the project.
SENTENCE_FILE = Path("agent/voice_agent/data/apology.wav")
SENTENCE = "I am sorry, something went wrong on my side. Could you say that again, please?"
RATE_HZ = 16_000
SOCKET = "faster-whisper-*/engine.sock"
# A sentence of five seconds takes 0.5 s on two idle cores.
TIMEOUT_S = 3.5
# Half of the words tell understanding from noise; single words may be heard wrong.
LEAST_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Facts:
    """What the engine made of the sentence."""

    engine: bool
    late: bool = False
    error: str = ""
    text: str = ""


async def look(context: Context) -> Facts:
    """Find the engine's socket and have it write the sentence down."""
    if context.contained:
        return await _look_inside(context)
    return await ask(context.root, context.whole.paths.short)


async def _look_inside(context: Context) -> Facts:
    """The socket is in the agent's container, whose image has this module too."""
    command = ("exec", "-T", "agent", "python", "-m", __name__)
    said = await borrowed.ask(context.root, *command)
    try:
        return Facts(**json.loads(said))
    except ValueError:
        raise CannotTellError(
            "the agent's container could not be asked for its ears", "docker compose logs agent"
        ) from None


async def ask(root: Path, folder: Path) -> Facts:
    """By the engine's socket in a folder."""
    sockets = await asyncio.to_thread(lambda: sorted(folder.glob(SOCKET)))
    if not sockets:
        return Facts(engine=False)
    samples = await asyncio.to_thread(_sentence, root)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await _transcribe(sockets[-1], samples)
    except TimeoutError:
        return Facts(True, late=True)
    except (OSError, asyncio.IncompleteReadError) as error:
        return Facts(False, error=type(error).__name__)


def _sentence(root: Path) -> bytes:
    samples, rate_hz = audio.read_wav(root / SENTENCE_FILE)
    return audio.resample(samples, rate_hz, RATE_HZ).astype(np.int16).tobytes()


async def _transcribe(path: Path, samples: bytes) -> Facts:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        await _message(reader)  # hello
        # English whatever STT_LANGUAGE says: Whisper knows both, and the sentence is English.
        request = {"op": "transcribe", "id": 1, "priority": 0, "language": "en", "prompt": ""}
        writer.write(wire.pack(request, samples))
        answer = await _message(reader)
    finally:
        writer.close()
    if answer["op"] == "error":
        return Facts(True, error=str(answer.get("text")))
    return Facts(True, text=str(answer["transcript"]["text"]))


async def _message(reader: asyncio.StreamReader) -> wire.Message:
    json_bytes, audio_bytes = wire.lengths(await reader.readexactly(wire.HEAD.size))
    message: wire.Message = json.loads(await reader.readexactly(json_bytes))
    await reader.readexactly(audio_bytes)
    return message


def judge(facts: Facts) -> Verdict:
    """There, in time, without an error, and right."""
    if not facts.engine:
        return [Finding("STT001", facts.error or "its socket does not exist")]
    if facts.late:
        return [Finding("STT002", f"no transcript of a sentence within {TIMEOUT_S:g} s")]
    if facts.error:
        return [Finding("STT004", facts.error)]
    share = understood(facts.text, SENTENCE)
    if share < LEAST_SHARE:
        return [Finding("STT003", f"{share:.0%} of the words of a known sentence were right")]
    return []


def understood(heard: str, said: str) -> float:
    """The share of the words of `said` that occur in `heard`."""
    words = set(re.findall(r"[a-z]+", said.lower()))
    return len(words & set(re.findall(r"[a-z]+", heard.lower()))) / len(words)


CHECKS = (
    Check(
        "hearing", LEG, "speech recognition", look, judge, needs=("processes:agent",), limit_s=4.5
    ),
)


if __name__ == "__main__":  # in the agent's container; its sockets are in its TMPDIR
    here = Path(__file__).resolve().parents[3]
    print(json.dumps(asdict(asyncio.run(ask(here, Path(tempfile.gettempdir()))))))

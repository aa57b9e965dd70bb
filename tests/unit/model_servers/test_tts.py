"""The speech server's requests, with a voice that says zeros."""

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from model_servers import tts


class Voice:
    """Says as many samples as the text has characters."""

    def speak(self, text: str, speed: float) -> Iterator[bytes]:
        if text == "break":
            raise RuntimeError("no such phoneme")
        yield b"\0\0" * len(text)


@pytest.fixture
def client() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=tts.app(Voice(), workers=1), raise_app_exceptions=False)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://tts")


async def test_pcm_is_samples_and_wav_is_a_file(client: httpx.AsyncClient) -> None:
    """The two formats that a caller's audio needs."""
    pcm = await client.post("/v1/audio/speech", json={"input": "abc", "response_format": "pcm"})
    assert pcm.headers["content-type"] == "audio/pcm"
    assert pcm.headers["x-request-id"]
    assert pcm.content == b"\0" * 6
    wav = await client.post("/v1/audio/speech", json={"input": "abc", "response_format": "wav"})
    assert wav.content[:4] == b"RIFF"


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({}, "input"),
        ({"input": 5}, "input"),
        ([], "input"),
        ({"input": "x" * 4001}, "4001"),
        ({"input": "x", "response_format": "mp3"}, "mp3"),
        ({"input": "x", "speed": 9}, "speed"),
    ],
)
async def test_a_bad_request_is_told_what_is_wrong(
    client: httpx.AsyncClient, body: Any, names: str
) -> None:
    """400 with the value seen."""
    answer = await client.post("/v1/audio/speech", json=body)
    assert answer.status_code == 400
    assert names in answer.json()["error"]["message"]


async def test_a_voice_that_breaks_answers_500(client: httpx.AsyncClient) -> None:
    """A failure is an error, not a short file."""
    answer = await client.post("/v1/audio/speech", json={"input": "break"})
    assert answer.status_code == 500


def test_leading_silence_is_cut() -> None:
    """10 ms are kept before the first sound; silence alone is left as it is."""
    silence, sound = np.zeros(2400, np.int16), np.full(100, 5000, np.int16)
    cut = tts.without_lead(np.concatenate([silence, sound]))
    assert len(cut) == tts.LEAD_KEPT_SAMPLES + len(sound)
    assert len(tts.without_lead(silence)) == len(silence)

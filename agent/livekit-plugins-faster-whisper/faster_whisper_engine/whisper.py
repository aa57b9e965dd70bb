"""One Whisper model on CTranslate2, decoding one stretch of audio at a time.

Knows nothing of rooms, streams or quality: `transcriber` decides how much context to give and what
to believe. CTranslate2 takes features shorter than 30 s (since 3.19.0, src/layers/whisper.cc), and
the encoder's cost falls with the square of the context: 30 s take 550 ms, 8 s take 46 ms.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .features import LogMel, Samples

RATE_HZ = 16_000
# Whisper was trained on windows of 30 s; position embeddings end there.
MAX_CONTEXT_S = 30.0
# The decoder has 448 positions, half of which previous text (prompt) may take
# (openai-whisper, decoding.py, `_get_initial_tokens`).
MAX_POSITIONS = 448
MAX_PROMPT_TOKENS = 223


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the decoder made of the audio, unjudged."""

    text: str
    tokens: tuple[int, ...]
    avg_logprob: float
    no_speech_prob: float
    capped: bool  # the decoder did not end by itself
    language: str
    language_prob: float | None  # None: the language was given


class Whisper:
    """A loaded model. Safe to call from several threads; CTranslate2 queues beyond `workers`."""

    def __init__(
        self, folder: Path, *, compute_type: str = "int8", threads: int = 1, workers: int = 1
    ) -> None:
        # Imported here: the worker process imports this package and never decodes.
        import ctranslate2
        import tokenizers

        self._ct2 = ctranslate2
        self._model = ctranslate2.models.Whisper(
            str(folder), compute_type=compute_type, intra_threads=threads, inter_threads=workers
        )
        self._tokens = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._features = LogMel(self._model.n_mels)
        self._end = self._id("<|endoftext|>")
        self.multilingual: bool = self._model.is_multilingual

    def encode(self, samples: Samples, context_s: float) -> Any:
        """Run the encoder on `samples` padded with silence to `context_s`.

        Silence is added to the audio, not to the features: zeros in the features are a sound that
        the model never heard, and cost five points of word error rate.
        """
        # Two frames of 10 ms make one position.
        frames = min(round(max(context_s, 0.1) * 50), 1500) * 2
        features = self._features(samples, frames)[None]
        return self._model.encode(self._ct2.StorageView.from_array(features))

    def decode(
        self, encoded: Any, *, language: str | None, prompt: str, max_tokens: int
    ) -> Decoded:
        """Decode greedily. Without a language the most probable one is taken."""
        language, probability = self._language(encoded, language)
        start = self._start(language, prompt)
        cap = min(max_tokens, MAX_POSITIONS - len(start))
        (result,) = self._model.generate(
            encoded,
            [start],
            beam_size=1,
            # Greedy generation counts the whole sequence, CTranslate2 the prompt included.
            max_length=cap + len(start),
            return_scores=True,
            return_no_speech_prob=True,
        )
        tokens = tuple(result.sequences_ids[0])
        # The score is the mean over the tokens; the end counts as one more (faster-whisper,
        # transcribe.py, `generate_with_fallback`).
        logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
        return Decoded(
            text=self.text(tokens),
            tokens=tokens,
            avg_logprob=logprob,
            no_speech_prob=result.no_speech_prob,
            capped=len(tokens) >= cap,
            language=language,
            language_prob=probability,
        )

    def text(self, tokens: tuple[int, ...]) -> str:
        """Turn token ids into words."""
        text: str = self._tokens.decode([token for token in tokens if token < self._end])
        return text.strip()

    def _language(self, encoded: Any, language: str | None) -> tuple[str, float | None]:
        if not self.multilingual:
            return "en", None
        if language is not None:
            return language, None
        token, probability = self._model.detect_language(encoded)[0][0]
        return token.strip("<|>"), probability

    def _start(self, language: str, prompt: str) -> list[int]:
        """Build the tokens before the first word; the prompt is cut from its front."""
        start = [self._id("<|startoftranscript|>")]
        if self.multilingual:
            start += [self._id(f"<|{language}|>"), self._id("<|transcribe|>")]
        start.append(self._id("<|notimestamps|>"))
        if not prompt:
            return start
        words = self._tokens.encode(" " + prompt.strip(), add_special_tokens=False).ids
        return [self._id("<|startofprev|>"), *words[-MAX_PROMPT_TOKENS:], *start]

    def _id(self, token: str) -> int:
        number = self._tokens.token_to_id(token)
        if number is None:
            raise ValueError(f"the model's vocabulary has no {token}")
        return int(number)


def confidence(avg_logprob: float) -> float:
    """Mean probability of a token, between 0 and 1."""
    return min(1.0, math.exp(avg_logprob))

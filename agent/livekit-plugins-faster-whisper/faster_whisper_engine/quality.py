"""Is this text what was said? Signs of a decoder that lost the audio.

With short context Whisper base loses its way in one utterance of eight: it repeats itself, or never
ends. Phrase blacklists are not used: they drop a real "thank you".
"""

import zlib

# A phrase of n tokens said so often in a row is not speech. One word may be said three times
# ("no, no, no"), and digits are single tokens.
LOOP_REPEATS = {1: 6, 2: 4, 3: 3, 4: 3, 5: 3, 6: 3, 7: 3, 8: 3, 12: 2, 16: 2}
# A phrase of at least this many tokens said twice in a row is said rarely, and written often.
STUTTER_TOKENS = 4
# openai-whisper, transcribe.py, `compression_ratio_threshold`: text that packs better repeats.
MAX_COMPRESSION = 2.4
# Fast speech has about five tokens a second; above this the decoder makes things up.
TOKENS_PER_S = 7.0
EXTRA_TOKENS = 8


def max_tokens(audio_s: float) -> int:
    """Most tokens that a person can say in that time."""
    return int(audio_s * TOKENS_PER_S) + EXTRA_TOKENS


def loops(tokens: tuple[int, ...]) -> bool:
    """Tell whether a phrase is repeated over and over, anywhere in the text."""
    return any(_repeats(tokens, size, times) for size, times in LOOP_REPEATS.items())


def stutters(tokens: tuple[int, ...]) -> bool:
    """Tell whether a phrase is repeated once, as far as the text goes: worth a second look."""
    sizes = range(STUTTER_TOKENS, len(tokens) // 2 + 2)
    return any(tokens[-STUTTER_TOKENS:] == tokens[-STUTTER_TOKENS - n : -n] for n in sizes)


def _repeats(tokens: tuple[int, ...], size: int, times: int) -> bool:
    run = 0
    needed = size * (times - 1)
    for first, second in zip(tokens, tokens[size:], strict=False):
        run = run + 1 if first == second else 0
        if run >= needed:
            return True
    return False


def compression(text: str) -> float:
    """Length of the text over its packed length."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if raw else 0.0

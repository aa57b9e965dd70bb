"""Measure speech recognition: `python -m tests.bench.bench_stt [--quick] [--json]`.

Recorded human speech over a telephone line, in real time, through the framework's streams: the
plugin, and beside it in the same run plain faster-whisper behind the framework's StreamAdapter.
"""

import argparse
import asyncio
import json
import statistics
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
from livekit.agents import stt
from livekit.plugins import faster_whisper

from faster_whisper_engine.whisper import Whisper
from tests import speech
from tests.bench import machine, stt_accuracy, stt_live, stt_plain
from tests.bench.stt_live import Take

READY_S = 120.0
QUICK_UTTERANCES = 8
QUICK_NOISE_S, FULL_NOISE_S = 60.0, 600.0
# Noise that gets past the detector is rare; this much of each kind tests the gate behind it.
UNGATED_S = 5.0


def main() -> int:
    """Run, print; 1 if a goal of the project is missed."""
    args = _parser().parse_args()
    report = asyncio.run(measure(quick=args.quick, threads=args.threads))
    print(json.dumps(report, indent=1) if args.json else as_text(report))
    return 0 if all(report["goals"].values()) else 1


async def measure(*, quick: bool, threads: int) -> dict[str, Any]:
    """All measurements, one after the other: they share the cores."""
    folder = str(speech.cache_dir().parent / "models" / "whisper-base")
    utterances = speech.utterances()
    live = utterances[:: len(utterances) // QUICK_UTTERANCES] if quick else utterances
    before = machine.look()
    plugin, plain = await _live(folder, live, threads)
    accuracy = await asyncio.to_thread(_accuracy, folder, utterances if not quick else live)
    noise = await _noise(folder, QUICK_NOISE_S if quick else FULL_NOISE_S)
    report: dict[str, Any] = {
        "machine": asdict(before) | {"load_1min_after": machine.look().load_1min},
        "threads": threads,
        "plugin": plugin,
        "stream_adapter": plain,
        "accuracy": accuracy,
        "noise": noise,
    }
    report["goals"] = {
        "speech end -> FINAL p50 <= 350 ms": plugin["final_ms"]["p50"] <= 350,
        "word error rate <= 30 s greedy + 2 points": all(
            accuracy[f"wer_vs_{what}"] <= accuracy[f"wer_vs_{what}_30s_greedy"] + 2.0
            for what in ("truth", "beam_5_or_truth")
        ),
        "no looping output": accuracy["runaways"] == 0,
        "no words without speech": noise["words"] == 0,
    }
    return report


async def _live(
    folder: str, utterances: list[speech.Utterance], threads: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    engine = faster_whisper.use_shared_engine(model=folder, cpu_threads=threads)
    assert engine is not None
    try:
        assert await asyncio.to_thread(engine.wait_ready, READY_S)
        plugin = await _takes(faster_whisper.STT(model=folder), utterances, engine.pid)
    finally:
        engine.close()
    plain = await _takes(stt_plain.adapted(folder, threads=threads), utterances, None)
    return plugin, plain


async def _takes(
    recogniser: stt.STT[Any], utterances: list[speech.Utterance], engine_pid: int | None
) -> dict[str, Any]:
    await stt_live.listen(recogniser, utterances[0])  # warm
    used_s = _cpu_s(engine_pid)
    takes = [await stt_live.listen(recogniser, each) for each in utterances]
    used_s = _cpu_s(engine_pid) - used_s
    spoken_s = sum(each.duration_s for each in utterances)
    revised, shown = _revised(takes)
    return {
        "utterances": len(takes),
        "final_ms": _spread([each.final_ms for each in takes]),
        "preflight_ms": _spread([each.preflight_ms for each in takes]),
        "preflights_kept": sum(bool(each.preflights) for each in takes),
        "preflights_wasted": sum(max(0, len(each.preflights) - 1) for each in takes),
        "finals_per_utterance": round(sum(len(each.finals) for each in takes) / len(takes), 2),
        "interims": sum(len(each.interims) for each in takes),
        "interim_words": shown,
        "interim_words_revised": revised,
        "wer_vs_truth": round(
            stt_accuracy.wer(
                [(each.utterance.text, each.text) for each in takes
                 if each.utterance.truth == "exact"]
            ), 1,
        ),
        "cpu_s_per_s_of_speech": round(used_s / spoken_s, 3),
        "loop_lag_ms_max": round(max(each.loop_lag_ms for each in takes), 1),
    }  # fmt: skip


def _cpu_s(engine_pid: int | None) -> float:
    times = [psutil.Process().cpu_times()]
    if engine_pid is not None:
        times.append(psutil.Process(engine_pid).cpu_times())
    return float(sum(each.user + each.system for each in times))


def _spread(values: list[float | None]) -> dict[str, float]:
    known = sorted(value for value in values if value is not None)
    if not known:
        return {}
    p95 = known[min(len(known) - 1, round(0.95 * (len(known) - 1)))]
    return {
        "p50": round(statistics.median(known)),
        "p95": round(p95),
        "max": round(known[-1]),
        "count": len(known),
    }


def _revised(takes: list[Take]) -> tuple[int, int]:
    """Words that were shown as interim text and are not in the final one, and all shown."""
    revised = shown = 0
    for take in takes:
        longest = stt_accuracy.bare(max(take.interims, key=len, default="")).split()
        final = stt_accuracy.bare(take.text).split()
        shown += len(longest)
        revised += sum(word not in final for word in longest)
    return revised, shown


def _accuracy(folder: str, utterances: list[speech.Utterance]) -> dict[str, Any]:
    model = Whisper(Path(folder))
    heard = stt_accuracy.compare(model, stt_accuracy.pieces(utterances))
    known = [each for each in heard if each.truth is not None]
    return {
        "pieces": len(heard),
        "wer_vs_30s_greedy": _wer([(each.reference, each.found.text) for each in heard
                                   if not each.reference_runs_away]),
        "wer_vs_beam_5_or_truth": _wer([(each.known, each.found.text) for each in heard]),
        "wer_vs_beam_5_or_truth_30s_greedy": _wer([(each.known, each.reference) for each in heard]),
        "wer_vs_truth": _wer([(each.truth or "", each.found.text) for each in known]),
        "wer_vs_truth_30s_greedy": _wer([(each.truth or "", each.reference) for each in known]),
        "runaways": sum(stt_accuracy.runs_away(each) for each in heard),
        "runaways_30s_greedy": sum(each.reference_runs_away for each in heard),
        "looked_again": sum(each.found.looks > 1 for each in heard),
        "dropped": [each.name for each in heard if not each.found.text],
        "mean_decode_ms": round(statistics.mean(each.found.took_s for each in heard) * 1000),
    }  # fmt: skip


def _wer(pairs: list[tuple[str, str]]) -> float:
    return round(stt_accuracy.wer(pairs), 1)


async def _noise(folder: str, seconds: float) -> dict[str, Any]:
    recogniser = faster_whisper.STT(model=folder)
    kinds = stt_accuracy.noises(seconds)
    words = {name: await stt_accuracy.words_in(recogniser, each) for name, each in kinds.items()}
    model = Whisper(Path(folder))
    ungated = {
        name: await asyncio.to_thread(
            stt_accuracy.words_without_detector, model, each[: int(UNGATED_S * speech.RATE_HZ)]
        )
        for name, each in kinds.items()
    }
    return {
        "minutes": round(seconds / 60, 1),
        "words": sum(words.values()),
        "words_by_kind": {name: count for name, count in words.items() if count},
        "words_if_the_detector_were_fooled": {name: n for name, n in ungated.items() if n},
    }


def as_text(report: dict[str, Any]) -> str:
    """The report for people."""
    lines = []
    for part, figures in report.items():
        if not isinstance(figures, dict):
            lines.append(f"{part}: {figures}")
            continue
        lines.append(part)
        lines += [f"  {name:44} {_cell(value)}" for name, value in figures.items()]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, dict):
        return "  ".join(f"{key} {each}" for key, each in value.items()) or "none"
    return str(value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench_stt", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="eight utterances, one minute of noise"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--threads", type=int, default=2, help="of one decoding")
    return parser


if __name__ == "__main__":
    sys.exit(main())

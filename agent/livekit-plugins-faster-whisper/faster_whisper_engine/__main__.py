"""`python -m faster_whisper_engine --model FOLDER --socket PATH`: the engine process."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from . import weights
from .scheduler import Scheduler
from .server import serve
from .transcriber import Transcriber
from .whisper import Whisper


def main() -> int:
    """Load the model, then serve; exit 2 if the weights are unfit."""
    args = _parser().parse_args()
    # Ctrl-C at a terminal reaches the whole group; whoever started us decides when we go.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        folder = weights.folder(args.model)
    except weights.WeightsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    model = Whisper(
        folder, compute_type=args.compute_type, threads=args.threads, workers=args.workers
    )
    args.socket.unlink(missing_ok=True)  # an engine that was killed left it
    scheduler = Scheduler(Transcriber(model), threads=args.workers)
    asyncio.run(
        serve(args.socket, scheduler, model=args.model, until_stdin_ends=args.until_stdin_ends)
    )
    scheduler.close()
    args.socket.unlink(missing_ok=True)
    # A decoding that nobody waits for must not hold the exit up.
    os._exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="faster_whisper_engine", description=__doc__)
    parser.add_argument("--model", required=True, help="folder, or name in the hub's cache")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--compute-type", default="int8")
    parser.add_argument("--threads", type=int, default=2, help="of one decoding")
    parser.add_argument("--workers", type=int, default=2, help="decodings at a time")
    parser.add_argument("--until-stdin-ends", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())

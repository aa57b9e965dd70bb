"""Run to the end, whatever hangs: a look that never returns must not keep what others saw."""

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Value = TypeVar("Value")
# Every look has its own limit, and together they end within this; beyond it something is broken in
# a way that no limit reaches (the event loop itself is held).
MOST_S = 120.0
# What is told to stop may tidy up for this long.
TIDY_S = 0.5


class Threads(ThreadPoolExecutor):
    """A thread for each call, which the end of the process does not wait for."""

    def submit(self, fn: Callable[..., Value], /, *args: Any, **kwargs: Any) -> "Future[Value]":
        """Run it; its result, or its error, is in the future."""
        future: Future[Value] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=work, daemon=True).start()
        return future


def run(main: Coroutine[Any, Any, Value]) -> Value:
    """Like asyncio.run, which waits for every task and thread; this one does not."""
    loop = asyncio.new_event_loop()
    loop.set_default_executor(Threads())
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=TIDY_S))
        loop.run_until_complete(loop.shutdown_asyncgens())
        with contextlib.suppress(RuntimeError):
            loop.close()


@contextlib.contextmanager
def at_most(seconds: float = MOST_S) -> Any:
    """End the process with exit code 2 if the block takes longer."""

    def give_up() -> None:
        print(f"error: gave up after {seconds:g} s", file=sys.stderr)
        print("hint: what was seen so far stands above", file=sys.stderr, flush=True)
        os._exit(2)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()

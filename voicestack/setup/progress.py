"""What a person sees while it works: bars on a terminal, plain lines anywhere else."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Task as RichTask
from rich.text import Text

# A log of `make up` in CI stays short, yet nobody takes a long compile for a hang.
PLAIN_EVERY_S = 15.0
MIB = 1 << 20


class Work(Protocol):
    """One thing under way."""

    def total(self, count: int) -> None:
        """Say how much there is, once it is known."""

    def done(self, count: int) -> None:
        """Say how much of it is done."""

    def add(self, count: int) -> None:
        """Say that this much more is done."""

    def note(self, text: str) -> None:
        """Say what it is doing."""


class Reporter(Protocol):
    """Where steps say what they do."""

    def say(self, line: str) -> None:
        """Print one line."""

    @contextmanager
    def work(self, title: str, *, total: int = 0, unit: str = "bytes") -> Iterator[Work]:
        """Show something that takes a while."""
        raise NotImplementedError
        yield


def size(count: int, unit: str) -> str:
    """Write an amount: "62 MiB", "5 KiB", "900 packages"."""
    if unit != "bytes":
        return f"{count} {unit}"
    return f"{count / MIB:.0f} MiB" if count >= MIB else f"{count / 1024:.0f} KiB"


def amount(done: int, total: int, unit: str) -> str:
    """Write how far it is: "12 MiB of 62 MiB", "40 of 900 packages", "3 MiB"."""
    if not total:
        return size(done, unit) if done else ""
    return f"{size(done, unit).removesuffix(f' {unit}')} of {size(total, unit)}"


class Plain:
    """Lines for a log: one at the start, one every 15 s with the amount, one at the end."""

    def __init__(
        self,
        write: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write, self._clock = write, clock

    def say(self, line: str) -> None:
        """Print one line."""
        self._write(line)

    @contextmanager
    def work(self, title: str, *, total: int = 0, unit: str = "bytes") -> Iterator[Work]:
        """Print the start and the end, and now and then how far it is."""
        started_s = self._clock()
        self._write(f"  {title}" + (f" ({size(total, unit)})" if total else ""))
        work = PlainWork(self._write, self._clock, title, total, unit)
        yield work
        ended = work.amount()
        self._write(
            f"  {title}: done in {self._clock() - started_s:.1f} s" + (f", {ended}" * bool(ended))
        )


class PlainWork:
    """One thing under way, for a log."""

    def __init__(
        self,
        write: Callable[[str], None],
        clock: Callable[[], float],
        title: str,
        total: int,
        unit: str,
    ) -> None:
        self._write, self._clock, self._title = write, clock, title
        self._total, self._unit, self._done, self._note = total, unit, 0, ""
        self._said_s = clock()

    def amount(self) -> str:
        """Write how far it is."""
        return amount(self._done, self._total, self._unit)

    def total(self, count: int) -> None:
        """Say how much there is."""
        self._total = count

    def add(self, count: int) -> None:
        """Say that this much more is done."""
        self.done(self._done + count)

    def note(self, text: str) -> None:
        """Say what it is doing; shown with the next line."""
        self._note = text
        self.done(self._done)

    def done(self, count: int) -> None:
        """Say how much is done; printed at most every 15 s."""
        self._done = count
        if self._clock() - self._said_s >= PLAIN_EVERY_S:
            self._said_s = self._clock()
            parts = [part for part in (self.amount(), self._note) if part]
            self._write(f"  {self._title}: {', '.join(parts) or 'still at it'}")


class Bars:
    """Rich bars with amounts, notes and elapsed time."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, line: str) -> None:
        """Print one line."""
        self._console.print(line, highlight=False, markup=False)

    @contextmanager
    def work(self, title: str, *, total: int = 0, unit: str = "bytes") -> Iterator[Work]:
        """Draw a bar while it lasts, and leave it with its last figures."""
        columns = (
            TextColumn("  {task.description}", markup=False),
            BarColumn(bar_width=24),
            AmountColumn(unit),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
        )
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(title, total=total or None, note="")
            work = Bar(progress, task)
            yield work
            work.finish()


class AmountColumn(TextColumn):
    """How far it is, in the unit of the work."""

    def __init__(self, unit: str) -> None:
        super().__init__("{task.completed}")
        self._unit = unit

    def render(self, task: RichTask) -> Text:
        """Write the amount of one bar."""
        return Text(amount(int(task.completed), int(task.total or 0), self._unit))


class Bar:
    """One bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def total(self, count: int) -> None:
        """Say how much there is."""
        self._progress.update(self._task, total=count)

    def done(self, count: int) -> None:
        """Say how much is done."""
        self._progress.update(self._task, completed=count)

    def add(self, count: int) -> None:
        """Say that this much more is done."""
        self._progress.advance(self._task, count)

    def note(self, text: str) -> None:
        """Say what it is doing."""
        self._progress.update(self._task, note=text[-48:])

    def finish(self) -> None:
        """Fill the bar: a total that was an estimate is corrected."""
        done = self._progress.tasks[0].completed
        self._progress.update(self._task, total=done or 1, completed=done or 1, note="")


def reporter() -> Reporter:
    """Take bars on a terminal that can draw them, lines anywhere else; stdout is left to data."""
    console = Console(stderr=True)
    return Bars(console) if console.is_terminal and not console.is_dumb_terminal else Plain()

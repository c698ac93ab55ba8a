"""How a run is drawn: live bars on a terminal, plain lines elsewhere. Brings Rich."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import IO, TYPE_CHECKING, TextIO

from rich.console import Console
from rich.file_proxy import FileProxy
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import TaskID

_MOST_BARS = 12
_FRAMES_A_SECOND = 4  # more of them cost a tenth of a core as soon as there are ten bars
_TENTHS = 10


def open_display(stream: TextIO | None) -> Display:
    """Return bars when `stream` (None: standard error) is a terminal that can draw, else lines."""
    console = _console(stream)
    can_draw = _is_terminal(console.file) and console.is_terminal and not console.is_dumb_terminal
    return LiveDisplay(console) if can_draw else LineDisplay(console)


class Display(ABC):
    """Draws lines and progress; what it gets holds no control characters."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def line(self, text: str, style: str) -> None:
        """Write a line; what the stream's encoding lacks is written as an escape."""
        encoding = self._console.encoding
        safe = text.encode(encoding, errors="backslashreplace").decode(encoding)
        self._console.print(Text(safe, style=style), soft_wrap=True)

    @abstractmethod
    def progress(self, step: str, current: float, total: float) -> str | None:
        """Draw progress; what is to be said in a line is returned."""

    @abstractmethod
    def fail(self, step: str) -> None:
        """Draw the step as failed, where it stands."""

    def close(self) -> None:  # noqa: B027 - lines need nothing
        """Leave the terminal as it is."""

    def in_child(self) -> Display:
        """Return what a forked child draws with: Rich's locks and thread may be anywhere now."""
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if isinstance(stream, FileProxy):
                setattr(sys, name, stream.rich_proxied_file)
        return LineDisplay(_console(self._console.file))


class LineDisplay(Display):
    """Says progress each tenth of the way."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._steps: dict[str, tuple[int, float]] = {}  # tenths said, time of the first report

    def progress(self, step: str, current: float, total: float) -> str | None:
        """Return a line when another tenth is done, or when the step begins again."""
        tenths = int(_TENTHS * current / total)
        said, since = self._steps.get(step, (-1, time.monotonic()))
        if tenths < said:
            since = time.monotonic()
        self._steps[step] = tenths, since
        if tenths == said:
            return None
        elapsed = time.monotonic() - since
        is_under_way = 0 < current < total and elapsed > 0
        left = f", {_clock(elapsed / current * (total - current))} left" if is_under_way else ""
        return f"{step} {_count(current, total)} ({current / total:.0%}{left})"

    def fail(self, step: str) -> None:
        """Forget the step: what follows is a new beginning."""
        self._steps.pop(step, None)


class LiveDisplay(Display):
    """Draws a bar a step below the lines; of many steps those that moved last."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._bars: dict[str, tuple[TaskID, float]] = {}  # with the progress shown; latest behind
        self._progress: Progress | None = None

    def progress(self, step: str, current: float, total: float) -> str | None:
        """Draw the step's bar."""
        progress = self._progress or self._start()
        count = _count(current, total)
        if step in self._bars:
            bar, shown = self._bars.pop(step)
            if current < shown:
                progress.reset(bar, count=count, mark="")
        else:
            bar = self._add(progress, step, total, count)
        self._bars[step] = bar, current
        progress.update(bar, completed=current, total=total, count=count, mark="")
        return None

    def fail(self, step: str) -> None:
        """Mark the bar and stop its clock."""
        if self._progress is not None and step in self._bars:
            bar, _ = self._bars[step]
            self._progress.update(bar, mark="failed")
            self._progress.stop_task(bar)

    def close(self) -> None:
        """Draw the bars a last time and leave them."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            self._bars.clear()

    def _start(self) -> Progress:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %", markup=False),
            TextColumn("{task.fields[count]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[mark]}", style="bold red", markup=False),
            console=self._console,
            refresh_per_second=_FRAMES_A_SECOND,
            redirect_stdout=_is_terminal(sys.stdout),
            redirect_stderr=_is_terminal(sys.stderr),
        )
        self._progress.start()
        return self._progress

    def _add(self, progress: Progress, step: str, total: float, count: str) -> TaskID:
        if len(self._bars) >= _MOST_BARS:
            oldest, _ = self._bars.pop(next(iter(self._bars)))
            progress.remove_task(oldest)
        return progress.add_task(step, total=total, count=count, mark="")


def _console(stream: IO[str] | None) -> Console:
    return Console(file=stream, stderr=True, markup=False, highlight=False, emoji=False)


def _is_terminal(stream: IO[str] | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False


def _count(current: float, total: float) -> str:
    return f"{current:.10g}/{total:.10g}"


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))

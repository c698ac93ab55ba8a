"""Live bars on a terminal. Brings Rich."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING, cast

from rich.console import Console
from rich.file_proxy import FileProxy
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from synapse_stream.loggers.terminal import Display, LineDisplay, count

if TYPE_CHECKING:
    from rich.progress import TaskID

    from synapse_stream.saying.outlet import Outlet

_MOST_BARS = 12
_SHOW_CURSOR = "\x1b[?25h"
_FRAMES_A_SECOND = 4  # more of them cost a tenth of a core as soon as there are ten bars


class LiveDisplay(Display):
    """Draws a bar a step below the lines; of many steps those that moved last."""

    def __init__(self, outlet: Outlet) -> None:
        super().__init__(outlet)
        self._console = _Console(
            file=cast("IO[str]", outlet), markup=False, highlight=False, emoji=False
        )
        self._bars: dict[str, tuple[TaskID, float]] = {}  # with the progress shown; latest behind
        self._progress: Progress | None = None

    @property
    def can_draw(self) -> bool:
        """True when the terminal can move its cursor."""
        return self._console.is_terminal and not self._console.is_dumb_terminal

    def line(self, text: str, style: str) -> None:
        """Write a line above the bars."""
        encoding = self._console.encoding
        safe = text.encode(encoding, errors="backslashreplace").decode(encoding)
        self._console.print(Text(safe, style=style), soft_wrap=True)

    def progress(self, step: str, current: float, total: float) -> str | None:
        """Draw the step's bar."""
        progress = self._progress or self._start()
        shown_count = count(current, total)
        if step in self._bars:
            bar, shown = self._bars.pop(step)
            if current < shown:
                progress.reset(bar, count=shown_count, mark="")
        else:
            bar = self._add(progress, step, total, shown_count)
        self._bars[step] = bar, current
        progress.update(bar, completed=current, total=total, count=shown_count, mark="")
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

    def in_child(self) -> Display:
        """Return what a forked child draws with: Rich's locks and thread may be anywhere now."""
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if isinstance(stream, FileProxy):
                setattr(sys, name, stream.rich_proxied_file)
        return LineDisplay(self.outlet)

    def _start(self) -> Progress:
        progress = Progress(
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
        try:
            progress.start()
        except BaseException:  # no thread can start; half of it has begun
            self.outlet.write(_SHOW_CURSOR)
            raise
        self._progress = progress
        return progress

    def _add(self, progress: Progress, step: str, total: float, shown_count: str) -> TaskID:
        if len(self._bars) >= _MOST_BARS:
            oldest, _ = self._bars.pop(next(iter(self._bars)))
            progress.remove_task(oldest)
        return progress.add_task(step, total=total, count=shown_count, mark="")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Do nothing; Rich's own would exit, and turn the plugin's standard output away."""


def _is_terminal(stream: IO[str] | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except Exception:  # noqa: BLE001 - it is closed, or an object of the plugin
        return False

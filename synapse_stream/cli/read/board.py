"""How `watch` draws a run on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from synapse_stream.cli.read.messages import message_line
from synapse_stream.cli.shared import wording
from synapse_stream.cli.shared.sparkline import sparkline
from synapse_stream.cli.shared.tables import amount, clock, percent
from synapse_stream.saying.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console, RenderableType

    from synapse_stream.cli.read.watching import Course, Look
    from synapse_stream.ports.views import StepState

_STYLES = {"completed": "green", "running": "cyan", "failed": "bold red", "cancelled": "yellow"}
_HEALTH_STYLES = {"silent": "yellow", "lost": "bold red"}
_FAST_SECONDS, _SLOW_SECONDS = 0.1, 0.25
_FAST_ROWS = 20
"""More of them cost a fifth of a core at ten frames a second."""
_NAME_COLUMNS = 24
_OTHER_ROWS = 4


class Board:
    """Bars and metrics that stay in place, messages passing by above them.

    What the job says is drawn as plain text: it neither styles nor drives the terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=self._console, auto_refresh=False)
        self._live.start()
        self._rows = 0

    @property
    def pause_seconds(self) -> float:
        """A tenth of a second, more when there is much to draw."""
        return _FAST_SECONDS if self._rows <= _FAST_ROWS else _SLOW_SECONDS

    def show(self, look: Look) -> None:
        """Draw the board anew below the messages that are new."""
        if look.has_earlier:
            self.note(wording.earlier(look.state.job_id))
        for message in look.messages:
            text, style = message_line(message)
            when = Text(f"{clock(message.time)}  ", style="dim")
            self._console.print(when.append(text, style=style or ""), soft_wrap=True)
        self._live.update(self._draw(look), refresh=True)

    def note(self, text: str) -> None:
        """Print it above the board."""
        self._console.print(Text(text, style="dim"))

    def close(self) -> None:
        """Leave the board as it was drawn last."""
        self._live.stop()

    def _draw(self, look: Look) -> RenderableType:
        room = max(2, self._console.height - _OTHER_ROWS)
        courses = look.courses[: max(room // 2, room - len(look.state.latest.steps))]
        steps = _busiest(look.state.latest.steps, room - len(courses))
        self._rows = len(steps) + len(courses)
        parts: list[RenderableType] = [_headline(look)]
        if steps:
            parts.append(_bars(steps))
        left_out = len(look.state.latest.steps) - len(steps)
        if left_out:
            parts.append(Text(f"… {left_out} more steps", style="dim"))
        if courses:
            parts.append(_sparklines(courses))
        return Group(*parts)


def _headline(look: Look) -> Text:
    state, run = look.state, look.state.latest
    line = Text(one_line(state.job_id), style="bold", no_wrap=True, overflow="ellipsis")
    line.append(f"  {wording.outcome(state)}", style=_STYLES.get(state.status, ""))
    if look.health and not state.is_over:
        line.append(f"  {look.health}", style=_HEALTH_STYLES.get(look.health, "dim"))
    details = [run.action and one_line(run.action), wording.share(run), wording.rest(run)]
    details += [f"attempt {run.number}"] if run.number > 1 else []
    details += [f"{run.events} events"]
    line.append("".join(f"  {detail}" for detail in details if detail), style="dim")
    if look.away_ms is not None:
        line.append(f"  {wording.away(look.away_ms)}", style="yellow")
    return line


def _bars(steps: Iterable[StepState]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(max_width=_NAME_COLUMNS, no_wrap=True, overflow="ellipsis")
    table.add_column(width=_NAME_COLUMNS)
    for _ in range(4):
        table.add_column(justify="right", no_wrap=True)
    for step in steps:
        style = "red" if step.is_failed else "green" if wording.is_done(step) else "cyan"
        bar = ProgressBar(100, step.percent, complete_style=style, finished_style=style)
        numbers = (wording.count(step), wording.rate(step), wording.left(step))
        cells = (percent(step.percent), *numbers)
        table.add_row(Text(wording.name(step)), bar, *(Text(cell) for cell in cells))
    return table


def _sparklines(courses: Iterable[Course]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(max_width=_NAME_COLUMNS, no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, width=_NAME_COLUMNS + 8)
    for _ in range(2):
        table.add_column(justify="right", no_wrap=True)
    for course in courses:
        found, key = course.summary, course.summary.key
        place = f" ({one_line(key.step)})" if key.step else ""
        rank = f" rank {key.rank}" if key.rank else ""
        span_of = f"{amount(found.minimum)} … {amount(found.maximum)}"
        table.add_row(
            Text(one_line(key.name) + place + rank),
            Text(sparkline(course.values), style="magenta"),
            Text(amount(found.last)),
            Text(span_of, style="dim"),
        )
    return table


def _busiest(steps: Sequence[StepState], most: int) -> list[StepState]:
    """Return the steps that moved last, in their own order."""
    newest = sorted(steps, key=lambda step: step.updated, reverse=True)[:most]
    chosen = {id(step) for step in newest}
    return [step for step in steps if id(step) in chosen]

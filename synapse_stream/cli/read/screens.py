"""What `watch` shows its looks on: lines of text, lines of JSON, or a board."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from synapse_stream.cli.read.messages import message_line
from synapse_stream.cli.read.metrics import metric_row, print_metrics
from synapse_stream.cli.read.summary import summary
from synapse_stream.cli.shared import wording
from synapse_stream.cli.shared.output import print_json
from synapse_stream.cli.shared.tables import clock
from synapse_stream.ports.views.jsonable import jsonable
from synapse_stream.saying.text import one_line

if TYPE_CHECKING:
    from synapse_stream.cli.read.watching import Look
    from synapse_stream.entries.position import Position

_PAUSE_SECONDS = 0.25
_TENTHS = 10


class Screen(Protocol):
    """Shows look after look."""

    @property
    def pause_seconds(self) -> float:
        """How long to wait before the next look."""

    def show(self, look: Look) -> None:
        """Show what is new."""

    def note(self, text: str) -> None:
        """Say something that is not the job's."""

    def close(self) -> None:
        """Leave what was shown last."""


class Lines:
    """Messages, progress each tenth of the way, and at the end the metrics; for pipes and files."""

    pause_seconds = _PAUSE_SECONDS

    def __init__(self) -> None:
        self._tenths: dict[str | None, int] = {}
        self._attempt = 0
        self._away_ms: int | None = None

    def show(self, look: Look) -> None:
        """Print what is new."""
        if look.away_ms != self._away_ms:
            self._away_ms = look.away_ms
            back = "the server answers again"
            self.note(back if look.away_ms is None else wording.away(look.away_ms))
        if look.has_earlier:
            self.note(wording.earlier(look.state.job_id))
        run = look.state.latest
        if run.number != self._attempt:
            self._attempt = run.number
            self._tenths.clear()
            print(wording.title(look.state), flush=True)
        for message in look.messages:
            text, _ = message_line(message)
            print(f"{clock(message.time)}  {text}", flush=True)
        for step in run.steps:
            tenths = int(step.percent / 100 * _TENTHS)
            if self._tenths.get(step.name) != tenths:
                self._tenths[step.name] = tenths
                print(f"{clock(step.updated)}  progress  {wording.progress(step)}", flush=True)
        if look.is_over:
            self._show_end(look)

    def note(self, text: str) -> None:
        """Print it to standard error."""
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Do nothing."""

    def _show_end(self, look: Look) -> None:
        if look.courses:
            rows = [metric_row(found.summary, found.values) for found in look.courses]
            print_metrics(rows)
        print(f"{one_line(look.state.job_id)} {wording.outcome(look.state)}", flush=True)


class JsonLines:
    """The run as a line of JSON, whenever it stands differently."""

    pause_seconds = _PAUSE_SECONDS

    def __init__(self) -> None:
        self._position: tuple[Position, str | None] | None = None

    def show(self, look: Look) -> None:
        """Print the run if it stands differently than the last time."""
        place = look.state.position, look.health
        if place != self._position:
            self._position = place
            said = {"health": look.health, "server_away_ms": look.away_ms}
            print_json({**jsonable(summary(look.state)), **said})

    def note(self, text: str) -> None:
        """Print it to standard error."""
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Do nothing."""


def open_screen(*, as_json: bool) -> Screen:
    """Return what suits standard output."""
    if as_json:
        return JsonLines()
    from rich.console import Console

    from synapse_stream.cli.read.board import Board

    console = Console(markup=False, highlight=False, emoji=False)
    can_draw = console.is_terminal and not console.is_dumb_terminal
    return Board(console) if can_draw else Lines()

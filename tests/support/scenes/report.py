"""What one scenario found, and the table of all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.scenes.audit import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEAD = (
    *("scenario", "planned", "happened", "events", "lost", "twice", "disorder", "unknown"),
    *("failed", "unsaid", "s"),
)
_WIDTHS = (44, 8, 9, 9, 6, 6, 9, 8, 7, 7, 7)


@dataclass
class Result:
    """One scenario: its faults, and what an audit of the streams behind them found."""

    name: str
    planned: int
    happened: int = 0
    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """What is wrong beyond the counts; see `require`."""
    skipped: str | None = None
    """Why it could not be run here."""

    @property
    def problems(self) -> list[str]:
        """What is wrong, in words; a planned fault that did not happen makes a run void."""
        if self.skipped:
            return [f"void: {self.skipped}"]
        void = [f"void: {self.happened} of {self.planned} planned faults happened"]
        idle = ["void: no event was reported"]
        return (
            self.tally.problems
            + self.complaints
            + (void if self.happened != self.planned else [])
            + (idle if not self.tally.events else [])
        )

    def require(self, is_true: bool, otherwise: str) -> None:
        """Note a problem beyond the counts."""
        if not is_true:
            self.complaints.append(otherwise)


def head() -> str:
    """Return the table's first lines."""
    return _row(_HEAD) + "\n" + "-" * sum(_WIDTHS)


def row(result: Result) -> str:
    """Return one line of the table, and below it what is to be said about it."""
    tally = result.tally
    cells = (
        result.name,
        result.planned,
        result.happened,
        tally.events,
        tally.lost,
        tally.twice,
        tally.disordered,
        tally.unknown,
        tally.failed,
        tally.unsaid,
        f"{result.seconds:.1f}",
    )
    remarks = [f"  · {note}" for note in result.notes]
    remarks += [f"  ✗ {problem}" for problem in result.problems]
    return "\n".join([_row(cells), *remarks])


def foot(results: Iterable[Result]) -> str:
    """Return the sums."""
    total = Result("all", 0)
    for result in results:
        total.planned += result.planned
        total.happened += result.happened
        total.seconds += result.seconds
        total.tally.add(result.tally)
        total.tally.problems.clear()
    return "-" * sum(_WIDTHS) + "\n" + row(total).partition("\n")[0]


def _row(cells: Iterable[object]) -> str:
    texts = [str(cell) for cell in cells]
    rest = zip(texts[1:], _WIDTHS[1:], strict=True)
    return f"{texts[0]:<{_WIDTHS[0]}}" + "".join(f"{text:>{width}}" for text, width in rest)

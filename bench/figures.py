"""A measured row: ours beside the yardstick, round by round, and whether the bound holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Bound:
    """What is to be reached: by the ratio of ours to the yardstick, or by ours alone."""

    limit: float
    on: str  # "ratio" or "ours"
    is_floor: bool = False

    def holds(self, value: float) -> bool:
        return value >= self.limit if self.is_floor else value <= self.limit

    def text(self, unit: str) -> str:
        sign = "≥" if self.is_floor else "≤"
        return f"{sign} {self.limit:g} {'x' if self.on == 'ratio' else unit}"


@dataclass(frozen=True)
class Row:
    """One line of the table: one figure a round; a ratio is taken inside a round."""

    what: str
    unit: str
    ours: Sequence[float] = ()
    yardstick: Sequence[float] = ()
    against: str = ""
    bound: Bound | None = None
    void: str = ""  # why there is no figure

    @property
    def ratios(self) -> list[float]:
        return (
            [a / b for a, b in zip(self.ours, self.yardstick, strict=True)]
            if self.yardstick
            else []
        )

    @property
    def holds(self) -> bool | None:
        """True or False for a bound that was measured, else None."""
        if self.bound is None or self.void:
            return None
        return self.bound.holds(median(self.ratios if self.bound.on == "ratio" else self.ours))

    def cells(self) -> list[str]:
        bound = self.bound.text(self.unit) if self.bound else ""
        if self.void:
            return [self.what, "-", self.against, "", bound, f"not measured: {self.void}"]
        yardstick = f"{_figure(self.yardstick, self.unit)} {self.against}" if self.yardstick else ""
        ratio = f"{_spread(self.ratios)} x" if self.ratios else ""
        verdict = {None: "", True: "holds", False: "MISSED"}[self.holds]
        return [self.what, _figure(self.ours, self.unit), yardstick, ratio, bound, verdict]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratios": self.ratios, "holds": self.holds}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of `values` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(rows: Sequence[Row]) -> str:
    """Return the rows as aligned text."""
    head = ["what", "ours", "yardstick", "ratio (lowest to highest)", "bound", ""]
    lines = [head, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _figure(values: Sequence[float], unit: str) -> str:
    return f"{_number(median(values))} {unit}"


def _spread(values: Sequence[float]) -> str:
    middle = _number(median(values))
    return (
        f"{middle} ({_number(min(values))} to {_number(max(values))})"
        if len(values) > 1
        else middle
    )


def _number(value: float) -> str:
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.{1 if abs(value) >= 10 else 2}f}"

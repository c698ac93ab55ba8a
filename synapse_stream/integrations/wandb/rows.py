"""Which x W&B's values have: the row's number, or the metric that `define_metric` names. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_stream.integrations.values import split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SEPARATOR = "."
"""Between the names of a mapping inside and its own, as W&B writes them."""


class Part(NamedTuple):
    """Values of a row that have one x."""

    x: Any
    numbers: Mapping[Any, Any]
    rest: dict[Any, Any]


class Rows:
    """Counts rows as W&B does, but holds none back: each part of one is there at once."""

    def __init__(self, step: int = 0) -> None:
        self.step = step
        self._axes: dict[str, str] = {}
        self._known: dict[str, str | None] = {}
        self._newest: dict[str, Any] = {}

    def define(self, name: str, axis: str) -> None:
        """Have metrics of that name, which may be a pattern, stand over another metric."""
        self._axes[name] = axis
        self._known.clear()

    def take(self, data: Mapping[Any, Any], step: Any, commit: Any) -> Iterator[Part]:
        """Yield the values of a row, or of a part of one, by their x."""
        if step is not None and step > self.step:
            self.step = step
        row = self.step if step is None else step
        if commit or (commit is None and step is None):
            self.step += 1
        numbers, rest = split(data, SEPARATOR)
        if not self._axes:
            yield Part(row, numbers, rest)
            return
        self._newest.update(
            {name: numbers[name] for name in self._axes.values() if name in numbers}
        )
        parts: dict[Any, dict[Any, Any]] = {}
        for name, number in numbers.items():
            axis = self._axis(name)
            x = row if axis is None else self._newest.get(axis, row)
            parts.setdefault(x, {})[name] = number
        for x, values in parts.items():
            yield Part(x, values, {})
        if rest:
            yield Part(row, {}, rest)

    def _axis(self, name: str) -> str | None:
        if name not in self._known:
            axis = self._axes.get(name)
            if axis is None and name not in self._axes.values():
                found = [each for each in self._axes if fnmatchcase(name, each)]
                axis = self._axes[found[-1]] if found else None
            self._known[name] = None if axis == name else axis
        return self._known[name]

"""Metric history: every point of every metric.

A series is (attempt, rank, step, name). Its points keep the order in which they were folded, each
with its own time, position and x, whatever order x comes in. The state counts `metrics` events,
which orders the chunks of a series, has the `digests` of the metrics that are shown, and the count
of values `left_out` of those beyond them.

The events of a delivery are turned into columns shape by shape (same step, same names): that is
several times as fast as point by point. Where this fails, the events are taken one by one, and the
one that is at fault is refused.
"""

from __future__ import annotations

from array import array
from dataclasses import replace
from itertools import compress
from math import nan
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from consumers.folding import checks
from consumers.folding.port import CannotApply, refusal
from consumers.views.metric_history.known import KnownMetrics
from consumers.views.metric_history.rows import PointRows, Points, begin_points, joined
from synapse_stream.events.tags import NON_FINITE
from synapse_stream.ports.job_view import JobView
from synapse_stream.ports.views import SeriesKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from synapse_stream.ports.job_view import Delivery

Event = dict[str, Any]

_NO_FIT = (TypeError, ValueError, KeyError, AttributeError, OverflowError)
"""What makes the quick way give up; the careful way then finds the event at fault."""

_Shape = tuple[int, int, str | None, tuple[str, ...]]
"""Attempt, rank, step and names of metrics: those whose series got their points together."""


class _Table(NamedTuple):
    """Points of events of one shape: a column a metric beside what they share."""

    step: str | None
    names: tuple[str, ...]
    lines: array[int]
    times: array[int]
    xs: array[float] | None
    columns: list[array[float]]
    """As many as names."""


class _Group:
    """Series whose points came together so far: they share all columns but the values."""

    def __init__(self, keys: list[SeriesKey], number: int) -> None:
        self._keys = keys
        self._first = begin_points(number)
        self._others = [array("d") for _ in keys[1:]]

    def add(self, delivery: Delivery, table: _Table) -> None:
        """Add the points of a table that has a column for each series."""
        size = len(table.times)
        ms = array("q", [delivery.ms]) * size
        seq = array("q", [delivery.seq]) * size
        lines = table.lines
        if delivery.start:
            lines = array("q", [delivery.start + i for i in lines])
        values, *others = table.columns
        self._first.extend(Points(0, ms, seq, lines, table.times, values, table.xs))
        for mine, values in zip(self._others, others, strict=True):
            mine.extend(values)

    def series(self) -> Iterator[tuple[SeriesKey, Points]]:
        """Return each series with its points."""
        yield self._keys[0], self._first
        for key, values in zip(self._keys[1:], self._others, strict=True):
            yield key, replace(self._first, values=values)


class MetricHistoryView(JobView):
    """Collects the points of a job by series."""

    name: ClassVar[str] = "metric-history"
    version: ClassVar[int] = 4
    by_position: ClassVar[frozenset[str]] = frozenset({"digests"})

    def __init__(self, job_id: str, state: dict[str, Any] | None) -> None:
        super().__init__(job_id, state)
        self._known = KnownMetrics(self.state["digests"])
        self._forget()

    def begin(self) -> dict[str, Any]:
        """Return the state of a job without events."""
        return {"events": 0, "digests": "", "left_out": 0}

    def apply(self, delivery: Delivery) -> None:
        """Fold the events in order."""
        events = metrics = delivery.events
        kinds = _column(events, "type")
        chosen: Sequence[int] = range(len(events))
        if kinds.count("metrics") < len(kinds):
            chosen = [i for i, kind in enumerate(kinds) if kind == "metrics"]
            if not chosen:
                return
            metrics = [events[i] for i in chosen]
        try:
            tables = _tabulate(metrics, chosen)
        except _NO_FIT:
            self._apply_singly(delivery, chosen)
        else:
            self._append(delivery, tables, len(metrics))

    def take_rows(self) -> PointRows:
        """Return the points that came since the last call."""
        parts: dict[SeriesKey, list[Points]] = {}
        for group in self._groups:
            for key, points in group.series():
                parts.setdefault(key, []).append(points)
        self._forget()
        return PointRows((key, joined(points)) for key, points in parts.items())

    def _forget(self) -> None:
        self._groups: list[_Group] = []
        self._open: dict[_Shape, _Group] = {}
        self._shown: dict[tuple[str | None, tuple[str, ...]], list[bool] | None] = {}
        self._latest: dict[SeriesKey, _Shape] = {}

    def _apply_singly(self, delivery: Delivery, chosen: Sequence[int]) -> None:
        index = 0
        try:
            for index in chosen:
                self._append(delivery, [_tabulate_one(delivery.events[index], index)], 1)
        except Exception as error:
            raise CannotApply(index, refusal(error)) from error

    def _append(self, delivery: Delivery, tables: Iterable[_Table], count: int) -> None:
        for each in tables:
            table = self._shown_part(each)
            if table.names:
                shape = (delivery.attempt, delivery.rank, table.step, table.names)
                group = self._open.get(shape) or self._begin(shape)
                group.add(delivery, table)
        self.state["events"] += count
        if news := self._known.news():
            self.state["digests"] += news

    def _shown_part(self, table: _Table) -> _Table:
        """Return a table without the columns of metrics that are not shown; they are counted."""
        place = table.step, table.names
        if place not in self._shown:
            shown = self._known.admit(*place)
            self._shown[place] = None if all(shown) else shown
        chosen = self._shown[place]
        if chosen is None:
            return table
        self.state["left_out"] += chosen.count(False) * len(table.times)
        return table._replace(
            names=tuple(compress(table.names, chosen)),
            columns=list(compress(table.columns, chosen)),
        )

    def _begin(self, shape: _Shape) -> _Group:
        """Begin a group; those that share a series with it get no more, to keep points in order."""
        attempt, rank, step, names = shape
        keys = [SeriesKey(attempt, rank, step, name) for name in names]
        for key in keys:
            before = self._latest.get(key)
            if before is not None:
                self._open.pop(before, None)
            self._latest[key] = shape
        group = self._open[shape] = _Group(keys, self.state["events"])
        self._groups.append(group)
        return group


def _tabulate(events: list[Event], indexes: Sequence[int]) -> list[_Table]:
    """Return a table a shape.

    Raises:
        TypeError, ValueError, KeyError, AttributeError, OverflowError: an event is not plain, or
            two shapes share a series.
    """
    values = [event["values"] for event in events]
    steps = _column(events, "step")
    if steps.count(steps[0]) == len(steps) and len(set(map(len, values))) == 1:
        try:
            return [_table(events, values, steps[0], tuple(values[0]), indexes)]
        except KeyError:
            pass  # as many names, but not the same
    shapes: dict[tuple[Any, tuple[str, ...]], list[int]] = {}
    for i, names in enumerate(map(tuple, values)):
        shapes.setdefault((steps[i], names), []).append(i)
    series = [(step, name) for step, names in shapes for name in names]
    if len(set(series)) < len(series):
        msg = "a series in two shapes: its points must stay in order"
        raise ValueError(msg)
    return [
        _table(
            [events[i] for i in places],
            [values[i] for i in places],
            step,
            names,
            [indexes[i] for i in places],
        )
        for (step, names), places in shapes.items()
    ]


def _table(
    events: list[Event],
    values: list[dict[str, Any]],
    step: str | None,
    names: tuple[str, ...],
    indexes: Sequence[int],
) -> _Table:
    times = [event["time"] for event in events]
    if set(map(type, times)) != {int} or min(times) < 0 or max(times) >= checks.LATEST_TIME:
        raise ValueError(times)
    if _column(events, "v", 1).count(1) < len(events):
        raise ValueError(events)
    for text in names if step is None else (*names, step):
        if type(text) is not str or len(text) > checks.LONGEST_NAME or "\0" in text:
            raise ValueError(text)
    return _Table(
        step or None,
        names,
        array("q", indexes),
        array("q", times),
        _xs(_column(events, "x")),
        [_numbers([value[name] for value in values]) for name in names],
    )


def _column(events: list[Event], field: str, default: Any = None) -> list[Any]:
    try:
        return [event[field] for event in events]  # quicker than `get`
    except KeyError:
        return [event.get(field, default) for event in events]


def _xs(xs: list[Any]) -> array[float] | None:
    lacking = xs.count(None)
    if lacking == len(xs):
        return None
    return _numbers([nan if x is None else x for x in xs] if lacking else xs)


def _numbers(values: list[Any]) -> array[float]:
    try:
        return array("d", values)
    except TypeError:  # names of non-finite numbers among them
        return array("d", [NON_FINITE[v] if type(v) is str else v for v in values])


def _tabulate_one(event: Event, index: int) -> _Table:
    checks.version_one(event)
    values = event.get("values")
    if type(values) is not dict:
        raise checks.unfit("values", values, "an object")
    x = event.get("x")
    return _Table(
        checks.step(event) or None,
        tuple([checks.name({"name": name}, "name") for name in values]),
        array("q", [index]),
        array("q", [checks.time(event)]),
        None if x is None else array("d", [checks.metric("x", x)]),
        [array("d", [checks.metric(name, value)]) for name, value in values.items()],
    )

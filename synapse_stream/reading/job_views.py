"""What `JobStream` reads from the views of a job."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synapse_stream.entries.position import BEGINNING
from synapse_stream.ports.views import open_views
from synapse_stream.ports.views.optional import require

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from synapse_stream.entries.position import Position
    from synapse_stream.ports.views import Message, Series, SeriesKey, Views
    from synapse_stream.settings import Settings

_PAGE = 500
_MOST_NAMED = 20


@contextmanager
def opened(settings: Settings) -> Iterator[Views]:
    """Open the views of a deployment, by its store or its API, and close them."""
    views = _behind_an_api(settings) if settings.url else open_views(settings)
    try:
        yield views
    finally:
        views.close()


def _behind_an_api(settings: Settings) -> Views:
    from synapse_stream.remote.views import RemoteViews  # noqa: PLC0415 - brings urllib3

    return RemoteViews(settings)


@dataclass(frozen=True, slots=True, repr=False)
class Metrics:
    """Series of a job, whole, ordered by attempt, rank, step and name."""

    series: Sequence[Series]

    def __iter__(self) -> Iterator[Series]:
        """Return the series one by one."""
        return iter(self.series)

    def __len__(self) -> int:
        """Return the number of series."""
        return len(self.series)

    def __repr__(self) -> str:
        """Tell how much there is."""
        points = sum(map(len, self.series))
        return f"<Metrics: {len(self)} series, {points} points>"

    def to_pandas(self) -> Any:
        """Return a DataFrame with a row a point, the points of a series in the order of arrival.

        Columns: `attempt`, `rank`, `step`, `name`, `x`, `time` (UTC) and `value`.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        pandas, numpy = require("pandas"), require("numpy")
        table, sizes = self._numbers(numpy), list(map(len, self.series))

        def category(values: list[str | None]) -> Any:
            codes, names = pandas.factorize(numpy.array(values, object))
            return pandas.Categorical.from_codes(numpy.repeat(codes, sizes), names)

        frame = pandas.DataFrame(table)
        frame["time"] = frame["time"].dt.tz_localize("UTC")
        frame.insert(2, "step", category([series.key.step for series in self.series]))
        frame.insert(3, "name", category([series.key.name for series in self.series]))
        return frame

    def to_polars(self) -> Any:
        """Return a polars DataFrame with the columns and rows of `to_pandas`.

        What has no x has a null there; `step` and `name` are categories.

        Raises:
            ModuleNotFoundError: polars is not installed.
        """
        polars, numpy = require("polars", "polars"), require("numpy")
        sizes = list(map(len, self.series))

        def category(name: str) -> Any:
            values = [getattr(series.key, name) for series in self.series]
            one = polars.Series(name, values, polars.Categorical)
            return one.gather(numpy.repeat(numpy.arange(len(sizes)), sizes))

        frame = polars.DataFrame(self._numbers(numpy))
        frame = frame.with_columns(
            polars.col("time").dt.replace_time_zone("UTC"), polars.col("x").fill_nan(None)
        )
        frame.insert_column(2, category("step"))
        return frame.insert_column(3, category("name"))

    def _numbers(self, numpy: Any) -> dict[str, Any]:
        """Return the columns that are no text, a row a point."""
        sizes = list(map(len, self.series))
        points = [series.to_numpy() for series in self.series]

        def of_key(name: str) -> Any:
            values = [getattr(series.key, name) for series in self.series]
            return numpy.repeat(numpy.array(values, int), sizes)

        def of_points(name: str, kind: str) -> Any:
            return numpy.concatenate([numpy.empty(0, kind), *(part[name] for part in points)])

        return {
            "attempt": of_key("attempt"),
            "rank": of_key("rank"),
            "x": of_points("x", "f8"),
            "time": of_points("time", "M8[us]"),
            "value": of_points("value", "f8"),
        }


def find_series(
    views: Views,
    job_id: str,
    name: str,
    *,
    step: str | None,
    rank: int | None,
    attempt: int | None,
) -> SeriesKey:
    """Return the key of the one series that matches, of the latest attempt that has any.

    Raises:
        LookupError: none matches.
        ValueError: several do.
    """
    found = views.series(job_id, name=name, step=step, rank=rank, attempt=attempt)
    if not found:
        has = some({repr(summary.key.name) for summary in views.series(job_id)})
        asked = {"step": step, "rank": rank, "attempt": attempt}
        given = "".join(
            f" of {what} {value!r}" for what, value in asked.items() if value is not None
        )
        msg = f"job {job_id!r} has no metric {name!r}{given}; it has {has}"
        raise LookupError(msg)
    latest = max(summary.key.attempt for summary in found)
    keys = [summary.key for summary in found if summary.key.attempt == latest]
    if len(keys) > 1:
        several = some({f"step {key.step!r} of rank {key.rank}" for key in keys})
        msg = (
            f"metric {name!r} of job {job_id!r} has several series: {several}; "
            "name step and rank, or take all from metrics()"
        )
        raise ValueError(msg)
    return keys[0]


def some(names: Collection[str]) -> str:
    """Return the first of some names, for people: there may be very many."""
    shown = ", ".join(sorted(names)[:_MOST_NAMED]) or "none"
    more = len(names) - _MOST_NAMED
    return f"{shown} and {more:,} more" if more > 0 else shown


def all_messages(
    views: Views, job_id: str, *, after: Position | None, **wanted: Any
) -> Iterator[Message]:
    """Yield messages page by page, in the order of the feed."""
    after = after or BEGINNING
    while True:
        page = views.messages(job_id, after=after, limit=_PAGE, **wanted)
        yield from page.messages
        if not page.has_more:
            return
        after = page.messages[-1].position

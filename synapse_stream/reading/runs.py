"""`Runs`: the runs of a deployment that a filter finds, for scripts and notebooks."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from synapse_stream.ports.filters.fields import field_of
from synapse_stream.ports.filters.search import Group, Hits, Wanted
from synapse_stream.ports.views.optional import require
from synapse_stream.reading.job_views import opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synapse_stream.ports.views import RunState
    from synapse_stream.settings import Settings

_COLUMNS = (
    "job",
    "status",
    "action",
    "attempt",
    "percent",
    "started",
    "duration",
    "events",
    "error",
)


class Runs:
    """Runs that a filter finds, the newest first; looked for once, when they are first asked for.

    >>> for run in Runs("status = failed AND params.lr > 0.1", sort="metrics.val_loss.min"):
    ...     print(run.job_id, run.latest.error)

    Args:
        filter: SQL's WHERE over the fields of runs, as in the example; None: all. `docs/filters.md`
            has the fields.
        sort: fields, the most important first; `-` before one: the largest first.
        columns: what `rows` tells of each run beside what lists show: fields, with a comma between
            any two.
        limit: most to find.
        after: go on behind this job, in that order.
        settings: of the deployment; None: those of the environment.
    """

    def __init__(
        self,
        filter: str | None = None,  # noqa: A002 - what it is called everywhere
        *,
        sort: str | None = None,
        columns: str | None = None,
        limit: int = 100,
        after: str | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Read filter, order and columns; raise ValueError when one cannot be read."""
        self.filter, self.sort, self.limit = filter, sort, limit
        self._wanted = Wanted.of(filter, sort, columns, now_us=time.time_ns() // 1000)
        self._after = after
        self._settings = settings

    @cached_property
    def hits(self) -> Hits:
        """What was found: each run with its values in the fields that filter and order name.

        Raises:
            SynapseStreamError: store or API could not be read.
            ValueError: there is no job `after`.
        """
        from synapse_stream.settings import Settings  # noqa: PLC0415 - brings pydantic

        with opened(self._settings or Settings.load()) as views:
            return views.find(self._wanted, limit=self.limit, after=self._after)

    def __iter__(self) -> Iterator[RunState]:
        """Return the states of the runs, one by one."""
        return iter([hit.state for hit in self.hits.found])

    def __len__(self) -> int:
        """Return how many were found."""
        return len(self.hits.found)

    def __getitem__(self, index: int) -> RunState:
        """Return the state of one run."""
        return self.hits.found[index].state

    def groups(self, by: str, limit: int = 100) -> Sequence[Group]:
        """Return groups of all runs that the filter finds, those of most runs first.

        Args:
            by: the field that the runs of a group have in common, such as `labels.sweep`.
            limit: most groups to return.

        Each has `value`, `runs`, `statuses`, and `spans` of the columns that are numbers: `low`,
        `high`, `mean` and `runs`. Raises ValueError for no field, and as `hits`.
        """
        from synapse_stream.settings import Settings  # noqa: PLC0415 - brings pydantic

        with opened(self._settings or Settings.load()) as views:
            return views.groups(self._wanted, field_of(by), limit=limit)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a run: what lists show, and its values in the fields that were named.

        `started` is in µs since the epoch, `duration` in seconds.
        """
        return [
            {
                "job": state.job_id,
                "status": str(state.status),
                "action": state.latest.action,
                "attempt": state.latest.number,
                "percent": state.latest.overall_percent,
                "started": state.latest.started,
                "duration": state.latest.duration_seconds,
                "events": state.latest.events,
                "error": state.latest.error,
                **values,
            }
            for state, values in self.hits.found
        ]

    def to_pandas(self) -> Any:
        """Return `rows` as a DataFrame, `started` as times of UTC.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        pandas = require("pandas")
        frame = pandas.DataFrame(self.rows(), columns=self._columns())
        frame["started"] = pandas.to_datetime(frame["started"], unit="us", utc=True)
        return frame

    def to_polars(self) -> Any:
        """Return `rows` as a polars DataFrame, `started` as times of UTC.

        Raises:
            ModuleNotFoundError: polars is not installed.
        """
        polars = require("polars", "polars")
        names = self._columns()
        rows = [tuple(row.get(name) for name in names) for row in self.rows()]
        frame = polars.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
        return frame.with_columns(polars.col("started").cast(polars.Datetime("us", "UTC")))

    def _columns(self) -> list[str]:
        return list(dict.fromkeys([*_COLUMNS, *map(str, self._wanted.fields)]))

    def __repr__(self) -> str:
        """Tell what is looked for, and how much was found if that is known."""
        asked = [repr(self.filter)] if self.filter else []
        asked += [f"sort={self.sort!r}"] if self.sort else []
        found = f": {len(self)} runs" if "hits" in vars(self) else ""
        return f"<Runs({', '.join(asked)}){found}>"

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        from synapse_stream.reading.tables import html_table  # noqa: PLC0415 - for notebooks

        columns = self._columns()
        rows = [[row.get(name) for name in columns] for row in self.rows()]
        return html_table(repr(self), columns, rows)

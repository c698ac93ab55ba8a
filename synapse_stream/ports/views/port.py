"""The port through which views are read.

`synapse_stream` knows no database: who does is found through an entry point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from synapse_stream.ports.finding import check_door, load_entry
from synapse_stream.ports.views.metrics import Axis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from synapse_stream.entries.position import Position
    from synapse_stream.models import RunStatus
    from synapse_stream.ports.annotations import Annotation, Change
    from synapse_stream.ports.filters.fields import Field
    from synapse_stream.ports.filters.search import Group, Hits, Wanted
    from synapse_stream.ports.views.messages import MessagePage
    from synapse_stream.ports.views.metrics import Overview, Series, SeriesKey, SeriesSummary
    from synapse_stream.ports.views.of_package import ViewState
    from synapse_stream.ports.views.quotas import Beside
    from synapse_stream.ports.views.run_state import RunState
    from synapse_stream.settings import Settings


class Views(Protocol):
    """Where views are read. Every answer is what was last committed; nothing is locked."""

    def jobs(
        self,
        *,
        status: RunStatus | None = None,
        action: str | None = None,
        text: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Sequence[RunState]:
        """Return jobs, the newest first; `after` is the last job id of the page before.

        Of a large one only what a list shows; `state` has all of it.

        Raises:
            ValueError: there is no job `after`.
        """

    def find(self, wanted: Wanted, *, limit: int = 100, after: str | None = None) -> Hits:
        """Find runs, the newest first, or in the order of `wanted.sort`.

        `after` is the job of `Hits.next`.

        Raises:
            ValueError: there is no job `after`.
        """

    def groups(self, wanted: Wanted, by: Field, *, limit: int = 100) -> Sequence[Group]:
        """Return the groups by a field that most of the wanted runs are in, those of most first.

        Each has the span of those of `wanted.columns` that are numbers. What lacks the field is in
        none.
        """

    def state(self, job_id: str) -> RunState | None:
        """Return a job's run state; None for a job that is not known."""

    def position(self, projection: str, job_id: str) -> Position | None:
        """Return where the last event stands that a view has taken in; None for an unknown job.

        What is read of that view afterwards has at least as much.
        """

    def series(
        self,
        job_id: str,
        *,
        name: str | None = None,
        step: str | None = None,
        rank: int | None = None,
        attempt: int | None = None,
        after: SeriesKey | None = None,
        limit: int | None = None,
    ) -> Sequence[SeriesSummary]:
        """Return the job's series that match, by key; None means all.

        `after` is the last key of the page before.
        """

    def points(self, job_id: str, key: SeriesKey, *, until: Position | None = None) -> Series:
        """Return every point of a series up to and with `until`; an unknown series is empty."""

    def courses(
        self,
        job_id: str,
        *,
        name: str | None = None,
        step: str | None = None,
        rank: int | None = None,
        attempt: int | None = None,
    ) -> Iterator[Series]:
        """Yield the job's series that match, as `series`, each with every point."""

    def pieces(
        self, job_id: str, key: SeriesKey, *, until: Position | None = None
    ) -> Iterator[Series]:
        """Yield the points of a series as `points` has them, some at a time.

        They come from one state of the database.
        """

    def overview(
        self,
        job_id: str,
        key: SeriesKey,
        *,
        buckets: int = 1000,
        axis: Axis = Axis.INDEX,
        start: float | None = None,
        stop: float | None = None,
        until: Position | None = None,
    ) -> Overview:
        """Return a series from `start` to `stop` of the axis, in at most so many buckets.

        With `until` it is as it was when that position was the newest.
        """

    def messages(
        self,
        job_id: str,
        *,
        kinds: Sequence[str] = ("message",),
        levels: Sequence[str] | None = None,
        step: str | None = None,
        text: str | None = None,
        after: Position | None = None,
        before: Position | None = None,
        until: Position | None = None,
        limit: int = 100,
        language: str | None = None,
    ) -> MessagePage:
        """Return the first messages behind `after`; without it the last ones.

        Either way only those before `before` and up to `until`: `until` alone is inclusive.
        """

    def view(
        self, name: str, job_id: str, *, after: int = -1, limit: int = 100
    ) -> ViewState | None:
        """Return what the view of another package has of a job; None for an unknown job.

        Its rows are the first ones behind the number `after`.

        Raises:
            LookupError: there is no such view.
        """

    def close(self) -> None:
        """Disconnect."""


class ServedViews(Views, Protocol):
    """Views as who serves them to others reads them."""

    def jobs(
        self,
        *,
        status: RunStatus | None = None,
        action: str | None = None,
        text: str | None = None,
        pattern: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Sequence[RunState]:
        """Return jobs as `Views.jobs`; `pattern` is one of `fnmatchcase` for ids, `team-a-*`."""

    def find(
        self,
        wanted: Wanted,
        *,
        limit: int = 100,
        after: str | None = None,
        sees: Callable[[str], bool] = lambda _: True,
        **given: Any,
    ) -> Hits:
        """Find runs as `Views.find`, of those that `sees` lets through.

        `given` are conditions as `jobs` takes them.
        """

    def groups(
        self, wanted: Wanted, by: Field, *, limit: int = 100, **given: Any
    ) -> Sequence[Group]:
        """Return groups as `Views.groups`; a class of characters in `pattern` is any one."""

    def annotation(self, job_id: str) -> Annotation:
        """Return what people say of a job."""

    def annotate(self, job_id: str, change: Change) -> Annotation | None:
        """Change what is said of a job; return it, or None for a job that is not known.

        Write it to the operators' trail before.
        """

    def listed(self, job_ids: Sequence[str]) -> Mapping[str, RunState]:
        """Return jobs by id as `jobs` has them; unknown jobs are left out."""

    def beside(self, job_ids: Sequence[str]) -> Mapping[str, Beside]:
        """Return by job what a `state` has of it that does not come from its run state."""

    def arrivals(self, job_ids: Sequence[str]) -> Mapping[str, Position]:
        """Return by job what `jobs` sorts by, the newest last: when its first entry arrived."""

    def count_shed(self) -> int:
        """Return how many events producers have given up, of all jobs."""

    def series(
        self,
        job_id: str,
        *,
        name: str | None = None,
        step: str | None = None,
        rank: int | None = None,
        attempt: int | None = None,
        only_latest: bool = False,
        after: SeriesKey | None = None,
        limit: int | None = None,
    ) -> Sequence[SeriesSummary]:
        """Return series as `Views.series`.

        With `only_latest` those of several attempts are told of once, by the latest that has them.
        """

    def view_of_jobs(self, name: str, *, after: str = "", limit: int = 100) -> Sequence[ViewState]:
        """Return what such a view has of jobs, by their ids, without rows.

        `after` is the last id seen. Raises LookupError as `view`.
        """

    def view_of(self, name: str, job_ids: Sequence[str]) -> Sequence[ViewState]:
        """Return what such a view has of some jobs, without rows; unknown ones are left out."""


def open_views(settings: Settings) -> ServedViews:
    """Open the views of a deployment.

    Raises:
        ConfigError: what serves them is not installed, or the store's URL is wrong.
    """
    check_door(settings)
    views: ServedViews = load_entry("synapse_stream.reading")(settings)
    return views

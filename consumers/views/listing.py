"""Run states as lists have them: page by page, by ids, and found by filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumers.store import said as annotated
from consumers.store.damage import Damages
from consumers.views.beside import shown
from consumers.views.finding import query
from consumers.views.finding import reader as finding
from consumers.views.run_state import query as runs
from consumers.views.run_state import table
from synapse_stream.ports.annotations import NOTHING
from synapse_stream.ports.filters.search import Hit, Hits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumers.store.databases import Databases
    from synapse_stream.entries.position import Position
    from synapse_stream.models import RunStatus
    from synapse_stream.ports.annotations import Annotation, Change
    from synapse_stream.ports.filters.fields import Field
    from synapse_stream.ports.filters.search import Group, Wanted
    from synapse_stream.ports.views import RunState


class ListedRuns:
    """What `StoredViews` lists of all jobs."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._damage = Damages(databases)

    def jobs(
        self,
        *,
        status: RunStatus | None = None,
        action: str | None = None,
        text: str | None = None,
        pattern: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[RunState]:
        """Return jobs, the newest first; `after` is the last job id of the page before.

        Of a large one only what a list shows; `state` has all of it. Of a damaged one there is
        still what stands beside its document. `pattern` is one of `fnmatchcase` for ids. Fewer
        than `limit` come only at the end.

        Raises:
            ValueError: there is no job `after`.
        """
        found: list[RunState] = []
        is_at_end = False
        while len(found) < limit and not is_at_end:
            wanted = limit - len(found)
            with self._databases.reading(runs.PROJECTION, "listing jobs") as connection:
                page = runs.read_page(
                    connection,
                    status=status,
                    action=action,
                    text=text,
                    pattern=pattern,
                    after=after,
                    limit=wanted,
                )
            # those that are of another version are left out
            found += shown(self._databases, self._damage, page).values()
            is_at_end, after = len(page) < wanted, page[-1].job_id if page else after
        return found

    def find(
        self,
        wanted: Wanted,
        *,
        limit: int = 100,
        after: str | None = None,
        sees: Callable[[str], bool] = lambda _: True,
        **given: Any,
    ) -> Hits:
        """Find runs, the newest first, or in the order of `wanted.sort`.

        Args:
            wanted: which, in which order, and what is to be told of each.
            limit: most to return.
            after: go on behind this job.
            sees: whether a job may be found.
            given: further conditions, as `jobs` takes them.

        Raises:
            ValueError: there is no job `after`.
        """
        page, following = finding.read(
            self._databases,
            wanted,
            query.Given(**given),
            after=after,
            limit=limit,
            sees=sees,
        )
        states = self.listed([job_id for job_id, _ in page])
        hits = [Hit(states[job_id], values) for job_id, values in page if job_id in states]
        return Hits(hits, following)

    def groups(self, wanted: Wanted, by: Field, *, limit: int = 100, **given: Any) -> list[Group]:
        """Return the groups by a field that most of the wanted runs are in, those of most first.

        Each has the span of those of `wanted.columns` that are numbers. What lacks the field is in
        none. `given` as for `find`; a class of characters in `pattern` is any character.
        """
        given_ = query.Given(**given)
        return finding.read_groups(self._databases, wanted, by, given_, limit=limit)

    def annotation(self, job_id: str) -> Annotation:
        """Return what people say of a job."""
        with self._databases.of(runs.PROJECTION).read("reading an annotation") as connection:
            return annotated.read(connection, [job_id]).get(job_id, NOTHING)

    def annotate(self, job_id: str, change: Change) -> Annotation | None:
        """Change what is said of a job; return it, or None for a job that is not known.

        Write it to the operators' trail before.
        """
        with self._databases.of(runs.PROJECTION).write("annotating a job") as connection:
            return table.annotate(connection, job_id, change)

    def listed(self, job_ids: Sequence[str]) -> dict[str, RunState]:
        """Return jobs by id as `jobs` has them; unknown jobs are left out."""
        with self._databases.reading(runs.PROJECTION, "listing jobs") as connection:
            found = runs.read_listed(connection, job_ids)
        return shown(self._databases, self._damage, found)

    def arrivals(self, job_ids: Sequence[str]) -> dict[str, Position]:
        """Return by job what `jobs` sorts by, the newest last: when its first entry arrived."""
        with self._databases.reading(runs.PROJECTION, "listing jobs") as connection:
            return runs.arrivals(connection, job_ids)

    def count_shed(self) -> int:
        """Return how many events producers have given up, of all jobs."""
        with self._databases.reading(runs.PROJECTION, "counting what was shed") as connection:
            return runs.count_shed(connection)

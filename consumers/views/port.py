"""What a view is, as one thing: its rules, its table, and what is special about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from consumers.folding.fold import JobFold
from consumers.folding.marking import MarkingFold, TimedView
from synapse_stream.entries.entry import recorded_batch
from synapse_stream.entries.limits import size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from consumers.folding.port import Fold
    from consumers.store.databases import Databases
    from consumers.store.table import Table
    from synapse_stream.entries.batch import RawEntry
    from synapse_stream.ports.job_view import JobView

    OpenFold = Callable[[str, bytes | None], Fold]
    """Goes on from a job's document, or begins a job; OutdatedFold: it is of another version."""


@dataclass(frozen=True)
class View:
    """One projection: what it makes of events, and where that is kept.

    Nobody outside its folder asks which view one is; who treats some differently asks for what
    makes the difference.
    """

    rules: type[JobView]
    table: Table
    is_costly: bool = False
    """True when folding it takes as long as everything else that verifying a run does."""
    is_record: bool = False
    """True of the one that keeps what is recorded: nothing makes it anew, streams are trimmed up to
    where it is, and what it holds is signed."""
    events_a_turn: int = 50_000
    """How many it is given to project at a time, so that a turn does not take long."""
    is_installed: bool = False
    """True of another package's: what goes wrong with it, or takes long, costs it only."""
    is_public: bool = True
    """True when viewers may see it; of ours the API says what."""
    reads_ahead: bool = False
    """True when reading on while it commits gains time. Folds in Python would only wait for their
    own interpreter: read ahead, views lose 5 to 15 % of their rate."""

    @property
    def name(self) -> str:
        """What it is called everywhere."""
        return self.rules.name

    @property
    def version(self) -> int:
        """Which rules made a document."""
        return self.rules.version

    def fold(
        self,
        job_id: str,
        document: bytes | None = None,
        *,
        set_aside: Mapping[str, Collection[int]] | None = None,
    ) -> JobFold:
        """Return a fold for who verifies or looks back; see `JobFold`."""
        return JobFold(self.rules, job_id, document, set_aside=set_aside)

    def opener(self, databases: Databases) -> OpenFold:  # noqa: ARG002
        """Return what opens folds that are committed to `databases`."""
        rules = self.rules
        if issubclass(rules, TimedView):
            return partial(MarkingFold, rules)
        return partial(JobFold, rules)

    def take(self, job_id: str, entry: RawEntry) -> tuple[Any, int]:
        """Return an entry as the folds take it, and how many bytes it holds."""
        recorded = recorded_batch(job_id, entry)
        return recorded, len(recorded.batch.data) if recorded.batch else size_of(entry.fields)

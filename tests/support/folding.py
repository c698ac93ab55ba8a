"""Given events, when they are folded, then …: the words in which projections are specified."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumers.folding.fold import JobFold
from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.metric_history.fold import MetricHistoryView
from consumers.views.run_state.fold import RunStateView
from consumers.views.run_state.reading import run_state
from synapse_stream.entries.batch import GENESIS, Batch
from synapse_stream.testing.views import Given
from tests.support.events import START

if TYPE_CHECKING:
    from consumers.folding.port import Parked
    from consumers.views.message_feed.rows import MessageRow
    from consumers.views.metric_history.rows import Points
    from synapse_stream.ports.job_view import JobView
    from synapse_stream.ports.views import Attempt, RunState, SeriesKey

VIEWS: list[type[JobView]] = [RunStateView, MetricHistoryView, MessageFeedView]


class Scene(Given):
    """A job's stream, and what our own projections make of it."""

    def __init__(self) -> None:
        super().__init__()
        self.parked: list[Parked] = []

    def repeats(self, number: int) -> Scene:
        """Append the entry of this number once more, with a new id."""
        return self.appends(self.batch(number))

    def batch(self, number: int) -> Batch:
        batch = self.entries[number].batch
        assert batch is not None
        return batch

    def fold(self, view: type[JobView]) -> JobFold:
        fold = JobFold(view, "job-1", None)
        self.parked = [parked for entry in self.entries for parked in fold.apply(entry)]
        return fold

    @property
    def state(self) -> RunState:
        found = run_state("job-1", self.fold(RunStateView).document())
        assert found is not None
        return found

    @property
    def attempt(self) -> Attempt:
        return self.state.latest

    @property
    def points(self) -> dict[SeriesKey, Points]:
        rows = self.fold(MetricHistoryView).rows()
        assert isinstance(rows, dict)
        return rows

    @property
    def rows(self) -> list[MessageRow]:
        rows = self.fold(MessageFeedView).rows()
        assert isinstance(rows, list)
        return rows


def scene(*events: dict[str, Any]) -> Scene:
    """Begin a stream with one batch of one producer."""
    return Scene().says(*events) if events else Scene()


def loss_of_range(first: int, last: int, by: str = "p0") -> Batch:
    """Return the batch that stands for numbers that are gone."""
    line = b'{"seq":%d,"time":%d,"type":"loss","v":1,"counts":{},"first":%d,"last":%d}\n'
    return Batch("job-1", by, first, last, GENESIS, line % (last, START, first, last))

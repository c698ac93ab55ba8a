"""Jobs whose events are folded and committed as a projector would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from consumers.folding.fold import JobFold
from consumers.store.jobs import JobWrite
from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.metric_history.fold import MetricHistoryView
from consumers.views.run_state.fold import RunStateView
from synapse_stream.entries.batch import GENESIS, Batch
from synapse_stream.entries.entry import RecordedBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from consumers.folding.port import Parked
    from consumers.store.lease import Lease
    from consumers.store.store import Store

RUN_STATE = RunStateView
METRICS = MetricHistoryView
MESSAGES = MessageFeedView
SECONDS = 3600.0
FIRST_MS = 1_763_880_000_000


class Committer:
    """Projects one partition of one projection."""

    def __init__(self, store: Store, view: Any, owner: str = "owner", partition: int = 0) -> None:
        self.store = store
        self.view = view
        lease = store.leases.acquire(view.name, partition, owner, SECONDS)
        assert lease is not None
        self.lease: Lease = lease
        self.folds: dict[str, JobFold] = {}
        self.seen: Callable[[RecordedBatch], None] = lambda _: None
        """Called with every batch before it is folded."""
        self.numbers: dict[str, int] = {}
        self.ms = FIRST_MS

    def commit(self, events_of: dict[str, list[dict[str, Any]]]) -> None:
        """Commit one batch of events a job, all with a new entry id."""
        writes, parked = self.fold(events_of)
        self.store.commit(self.lease, (self.ms, 0), writes, parked, SECONDS)

    def fold(
        self, events_of: dict[str, list[dict[str, Any]]]
    ) -> tuple[list[JobWrite], list[Parked]]:
        """Return what `commit` would write."""
        writes, parked = [], []
        for job_id, events in events_of.items():
            self.ms += 1
            recorded = self._recorded(job_id, events)
            fold = self.folds.get(job_id)
            if fold is None:
                document = self.store.jobs.load(self.view.name, [job_id]).get(job_id)
                fold = self.folds[job_id] = JobFold(self.view, job_id, document)
            parked += fold.apply(recorded)
            writes.append(JobWrite(job_id, fold.document(), fold.rows(), (self.ms, 0)))
        return writes, parked

    def _recorded(self, job_id: str, events: list[dict[str, Any]]) -> RecordedBatch:
        first = self.numbers.get(job_id, 0)
        self.numbers[job_id] = first + len(events)
        lines = [
            orjson.dumps({"seq": first + i, "time": self.ms * 1000 + i, "v": 1, **event})
            for i, event in enumerate(events)
        ]
        data = b"".join(line + b"\n" for line in lines)
        batch = Batch(job_id, "producer", first, first + len(events) - 1, GENESIS, data)
        recorded = RecordedBatch(self.ms, 0, batch)
        self.seen(recorded)
        return recorded


def started(action: str | None = None) -> dict[str, Any]:
    """Return the event of a run's start."""
    return {"type": "run_started", "action": action, "rank": 0}


def ended(status: str) -> dict[str, Any]:
    """Return the event of a run's end."""
    return {"type": "end", "status": status, "rank": 0}


def message(content: str, level: str = "info", **fields: Any) -> dict[str, Any]:
    """Return a message for users."""
    return {"type": "message", "content": content, "level": level, **fields}


def metrics(step: str | None = None, x: float | None = None, **values: Any) -> dict[str, Any]:
    """Return a report of metrics."""
    event: dict[str, Any] = {"type": "metrics", "values": values}
    if step is not None:
        event["step"] = step
    if x is not None:
        event["x"] = x
    return event


def project(store: Store, view: Any, job_id: str, commits: Iterable[list[dict[str, Any]]]) -> None:
    """Commit the events of one job."""
    committer = Committer(store, view)
    for events in commits:
        committer.commit({job_id: events})
    store.leases.release(committer.lease)

"""For authors of views: given these events, when a view folds them, then it has this.

    from synapse_stream.testing.views import given, progress, started

    def test_a_step_takes_from_its_first_report_to_its_last():
        job = given(started(), progress(1, step="fit", at=0))
        job.says(progress(9, step="fit", at=5))

        assert job.seen_by(TimeByStep).state["steps"]["fit"]["seconds"] == 5

Events are folded as the consumers do it, each batch once in one go, and once event by event with a
restart between any two; a view that does not come to the same is at fault. No server is needed:
`pip install 'synapse-stream[consumers]'`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

import orjson

from synapse_stream.entries.batch import GENESIS, Batch, seal
from synapse_stream.entries.entry import RecordedBatch
from synapse_stream.ports.finding import load_entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.entries.position import Position
    from synapse_stream.ports.job_view import JobView

__all__ = [
    "JOB",
    "SECOND",
    "START",
    "Given",
    "Refused",
    "Seen",
    "action",
    "ended",
    "event",
    "given",
    "joined",
    "lost",
    "message",
    "metrics",
    "plan",
    "progress",
    "resumed",
    "started",
    "terminating",
]

JOB = "job-1"
SECOND = 1_000_000
START = 1_763_880_000_000_000
"""When the first event of a producer is made, in µs; each next one comes 1 µs later, unless it is
told when by `at`, in seconds from here on."""

_FIRST_MS = 1000


class Refused(NamedTuple):
    """An event that a view could not fold, and that would be parked."""

    position: Position
    reason: str


class Seen(NamedTuple):
    """What a view has made of the events."""

    state: dict[str, Any]
    rows: Sequence[tuple[Any, ...]]
    refused: Sequence[Refused]


class Given:
    """A job's stream, batch by batch."""

    def __init__(self) -> None:
        self.entries: list[RecordedBatch] = []
        self._heads: dict[str, tuple[int, bytes]] = {}

    def says(self, *events: dict[str, Any], by: str = "p0", ms: int | None = None) -> Self:
        """Append a batch of a producer; `ms` is the server's clock, else it is counted on."""
        first = self._heads.get(by, (-1, GENESIS))[0] + 1
        lines = [
            orjson.dumps({"seq": n, "time": START + n, "type": "heartbeat", "v": 1} | each) + b"\n"
            for n, each in enumerate(events or ({},), first)
        ]
        return self.sends(b"".join(lines), len(lines), by=by, ms=ms)

    def sends(self, data: bytes, count: int, by: str = "p0", ms: int | None = None) -> Self:
        """Append a batch of these very bytes, which are so many numbers."""
        last, previous = self._heads.get(by, (-1, GENESIS))
        batch = seal(previous, JOB, by, last + 1, last + count, data)
        self._heads[by] = batch.last, batch.hash
        return self.appends(batch, ms=ms)

    def appends(self, batch: Batch, ms: int | None = None) -> Self:
        """Append a batch as it is, to an entry with the next id."""
        ms = _FIRST_MS + len(self.entries) if ms is None else ms
        self.entries.append(RecordedBatch(ms, 0, batch))
        return self

    def seen_by(self, view: type[JobView]) -> Seen:
        """Return what a view makes of all that was said.

        Raises:
            AssertionError: it depends on how events are cut into batches, or keeps something
                beside its state.
            TypeError: it is not as a view must be.
            ConfigError: the consumers are not installed.
        """
        state, rows, refused = load_entry("synapse_stream.folding")(view, JOB, self.entries)
        return Seen(state, rows, [Refused(*each) for each in refused])


def given(*events: dict[str, Any]) -> Given:
    """Begin a stream with one batch of one producer."""
    return Given().says(*events) if events else Given()


def event(kind: str, **fields: Any) -> dict[str, Any]:
    """Return an event; its number and time are added when it is said, unless it has them.

    `at` says when it is made, in seconds.
    """
    at = fields.pop("at", None)
    when = {} if at is None else {"time": START + int(at * SECOND)}
    return {"type": kind, "v": 1} | when | fields


def started(rank: int | None = 0, **fields: Any) -> dict[str, Any]:
    """Return that a process of a run began."""
    process = {
        "host": "node-1",
        "pid": 4711,
        "python": "3.13.0",
        "sdk": {"synapse-stream": "0.1.0"},
    }
    told = {"action": "train", "rank": rank, "attempt": None}
    return event("run_started", **told | process | fields)


def progress(
    current: float, total: float = 100, step: str | None = None, **fields: Any
) -> dict[str, Any]:
    """Return a report of progress."""
    named = {} if step is None else {"step": step}
    return event("progress", current=current, total=total, **named, **fields)


def plan(steps: dict[str, float | None], **fields: Any) -> dict[str, Any]:
    """Return which steps are to come, each with its weight."""
    return event("plan", steps=steps, **fields)


def action(name: str, status: str, **fields: Any) -> dict[str, Any]:
    """Return where an action of a pipeline stands."""
    return event("action", name=name, status=status, **{"error": None} | fields)


def metrics(values: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a report of metrics."""
    return event("metrics", values=values, **fields)


def message(content: str, level: str = "info", **fields: Any) -> dict[str, Any]:
    """Return a message for users."""
    return event("message", content=content, level=level, **fields)


def ended(status: str | None = "completed", rank: int | None = 0, **fields: Any) -> dict[str, Any]:
    """Return the end of a process, and with a status that of its rank."""
    return event("end", **{"status": status, "error": None, "result": None, "rank": rank} | fields)


def lost(rank: int | None = 0, **fields: Any) -> dict[str, Any]:
    """Return that a process died without ending its run."""
    gone = {"host": "node-1", "pid": 4711, "reason": "the process ended without ending its run"}
    return event("producer_lost", rank=rank, **gone | fields)


def joined(parent: str | None = "p0", **fields: Any) -> dict[str, Any]:
    """Return that a child process begins to report."""
    return event("joined", parent=parent, host="node-1", pid=4712, **fields)


def resumed(producer: str, last: int, rank: int | None = 0, **fields: Any) -> dict[str, Any]:
    """Return that a process goes on under another name."""
    named = {"host": "node-1", "pid": 4711, "reason": "its name was taken"}
    return event("resumed", producer=producer, last=last, rank=rank, **named, **fields)


def terminating(signal: str = "SIGTERM", **fields: Any) -> dict[str, Any]:
    """Return that a signal asks a process to end."""
    return event("terminating", signal=signal, **fields)

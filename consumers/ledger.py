"""The ledger: what a projection has folded of each producer of a job, and what is missing.

High-water marks drop what is known, event by event, so a batch may come again, with another id or
cut differently.

Document: `producers`: id → `last` (highest number folded, -1 none), `rank` (null: a forked child),
`attempt`, and where there are any `sealed` (how many events the producer says it made), `missing`
(ranges of numbers) and `shed` (counts by type of events that never got a number); `starts`: rank →
its latest attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumers.projections.base import Delivery

if TYPE_CHECKING:
    from synapse_stream.batch import Batch

LARGEST_NUMBER = 2**53
"""What the append script can count to."""

_LARGEST_RANK = _LARGEST_ATTEMPT = 1_000_000
_MOST_SHED_TYPES = 100
_DECISIVE = frozenset({"run_started", "loss", "end", "producer_lost"})


class Ledger:
    """Decides which events of a batch are fresh, and which attempt and rank they belong to."""

    def __init__(self, document: dict[str, Any] | None) -> None:
        """Go on from `document`, which becomes the ledger's own, or begin a new job."""
        self._document = {"producers": {}, "starts": {}} if document is None else document
        self._marks: dict[str, dict[str, Any]] = self._document["producers"]
        self._starts: dict[str, int] = self._document["starts"]

    def last(self, producer: str) -> int:
        """Return the highest number folded of a producer, -1 for none."""
        mark = self._marks.get(producer)
        return -1 if mark is None else int(mark["last"])

    def lasts(self) -> dict[str, int]:
        """Return the highest number folded of every producer."""
        return {producer: int(mark["last"]) for producer, mark in self._marks.items()}

    def count(self) -> int:
        """Return how many numbers are known, of all producers."""
        return sum(mark["last"] + 1 for mark in self._marks.values())

    def origin(self, producer: str) -> tuple[int, int] | None:
        """Return rank and attempt that a producer's events belong to; None if it was never met."""
        mark = self._marks.get(producer)
        return None if mark is None else (mark["rank"] or 0, mark["attempt"])

    def admit(
        self, ms: int, seq: int, batch: Batch, events: list[dict[str, Any]]
    ) -> list[Delivery]:
        """Note the events of the stream entry `ms`-`seq` as folded; return those not folded before.

        Normally that is one delivery or none. A `run_started` begins a delivery of its own, because
        it decides about rank and attempt. A producer without one, a forked child, belongs to the
        latest attempt of rank 0 when it is first met.

        There is one event a line of the batch, no more than it has numbers; a line that is lacking
        makes its number a missing one. Numbers must be below LARGEST_NUMBER.
        """
        producer = batch.producer
        mark = self._marks.get(producer)
        if mark is None:
            attempt = self._starts.get("0", 1)
            mark = self._marks[producer] = {"last": -1, "rank": None, "attempt": attempt}
        is_next = mark["last"] + 1 == batch.first
        if is_next and len(events) == batch.last - batch.first + 1 and _is_ordinary(events):
            mark["last"] = batch.last
            rank = mark["rank"] or 0
            return [Delivery(ms, seq, producer, rank, mark["attempt"], 0, events)]
        return self._admit_carefully(ms, seq, batch, events, mark)

    def document(self) -> dict[str, Any]:
        """Return the state as JSON-able dict; it is the ledger's own, so do not change it."""
        return self._document

    def _admit_carefully(
        self, ms: int, seq: int, batch: Batch, events: list[dict[str, Any]], mark: dict[str, Any]
    ) -> list[Delivery]:
        fresh = mark["last"] + 1
        if batch.last < fresh:
            return []
        is_range = stands_for_range(batch, events)
        first = batch.last if is_range else batch.first  # number of events[0]
        _miss(mark, fresh, batch.last if is_range else batch.first - 1)
        start = max(0, fresh - first)
        cuts = self._decide(mark, first, events, start)
        _miss(mark, max(fresh, first + len(events)), batch.last)
        mark["last"] = batch.last
        ends = [begin for begin, _, _ in cuts[1:]] + [len(events)]
        return [
            Delivery(ms, seq, batch.producer, rank, attempt, begin, events[begin:end])
            for (begin, rank, attempt), end in zip(cuts, ends, strict=True)
            if begin < end
        ]

    def _decide(
        self, mark: dict[str, Any], first: int, events: list[dict[str, Any]], start: int
    ) -> list[tuple[int, int, int]]:
        """Note what the events say about their producer; return where rank and attempt begin."""
        cuts = [(start, mark["rank"] or 0, mark["attempt"])]
        for index in range(start, len(events)):
            event = events[index]
            kind = event.get("type")
            if kind == "run_started":
                self._start(mark, event)
                cuts.append((index, mark["rank"], mark["attempt"]))
            elif kind == "loss":
                _lose(mark, event, first + index)
            elif kind == "end":
                count = _whole(event.get("count"), LARGEST_NUMBER)
                mark["sealed"] = max(count or 0, first + index + 1)
            elif kind == "producer_lost":
                mark["sealed"] = first + index + 1
        return cuts

    def _start(self, mark: dict[str, Any], event: dict[str, Any]) -> None:
        rank = _whole(event.get("rank"), _LARGEST_RANK) or 0
        latest = self._starts.get(str(rank), 0)
        attempt = _whole(event.get("attempt"), _LARGEST_ATTEMPT) or latest + 1
        self._starts[str(rank)] = max(latest, attempt)
        mark["rank"], mark["attempt"] = rank, attempt


def stands_for_range(batch: Batch, events: list[dict[str, Any]]) -> bool:
    """Tell whether the batch is one `loss` event in the place of several that are gone."""
    if batch.last == batch.first or len(events) != 1 or events[0].get("type") != "loss":
        return False
    return (events[0].get("first"), events[0].get("last")) == (batch.first, batch.last)


def _is_ordinary(events: list[dict[str, Any]]) -> bool:
    try:
        return _DECISIVE.isdisjoint([event["type"] for event in events])
    except (KeyError, TypeError):  # no type, or one that is a list or an object
        return False


def _lose(mark: dict[str, Any], event: dict[str, Any], number: int) -> None:
    if event.get("first") is not None:
        _miss(mark, number, number)
        return
    counts = event.get("counts")
    if not isinstance(counts, dict):
        return
    shed = mark.setdefault("shed", {})
    for kind, count in counts.items():
        if _whole(count, LARGEST_NUMBER) and (kind in shed or len(shed) < _MOST_SHED_TYPES):
            shed[kind] = min(shed.get(kind, 0) + count, LARGEST_NUMBER)


def _miss(mark: dict[str, Any], first: int, last: int) -> None:
    """Note that `first` to `last` are missing; they lie behind all that was noted before."""
    if first > last:
        return
    missing = mark.setdefault("missing", [])
    if missing and first <= missing[-1][1] + 1:
        missing[-1][1] = max(last, missing[-1][1])
    else:
        missing.append([first, last])


def _whole(value: Any, largest: int) -> int | None:
    return value if type(value) is int and 0 <= value <= largest else None

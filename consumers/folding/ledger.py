"""The ledger: what a projection has folded of each producer of a job, and what is missing.

High-water marks drop what is known, event by event, so a batch may come again, with another id or
cut differently.

Document: `producers`: id → `last` (highest number folded, -1 none), `rank` (null: a child process),
`attempt`, and where there are any

- `sealed`: how many events the producer says it made;
- `missing` (the first ranges of numbers), `unlisted` (where further ones begin, and how many
  numbers they hold), `shed` (counts by type of events that never got a number) and `uncounted`
  (the first number at which it says that it does not know how many are missing);
- `parent`: whose child process it is; `children` and `child_count`: which it had, and how many;
- `of`: whose process goes on under this name; `heir`: under which name its process went on, and
  `left`: its last number that is that process's own, the rest is another's;
- `awaits`: the parent, or `of`, is not known yet, nor therefore the attempt.

`starts`: rank → its latest attempt; `awaited`: producer → those that await it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from consumers.folding.lineage import LARGEST_NUMBER, PLACING, Lineage, is_name, whole
from synapse_stream.ports.job_view import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.folding.lineage import Mark
    from synapse_stream.entries.batch import Batch
    from synapse_stream.entries.position import Position

_MOST_SHED_TYPES = 100
_LONGEST_TYPE = 100
_MOST_RANGES = 1_000
_MOST_CHILDREN = 1_000
_SEALING = ("end", "producer_lost")  # no set: an event's type may be what has no hash
_DECISIVE = frozenset({*PLACING, *_SEALING, "terminating", "loss"})


class Ledger:
    """Decides which events of a batch are fresh, and which attempt and rank they belong to."""

    def __init__(self, document: dict[str, Any] | None) -> None:
        """Go on from `document`, which becomes the ledger's own, or begin a new job."""
        self._document = {"producers": {}, "starts": {}} if document is None else document
        self._marks: dict[str, Mark] = self._document["producers"]
        self._document.setdefault("awaited", {})
        self._lineage = Lineage(self._document)

    def last(self, producer: str) -> int:
        """Return the highest number folded of a producer, -1 for none."""
        mark = self._marks.get(producer)
        return -1 if mark is None else int(mark["last"])

    def whose(self, producer: str) -> tuple[int, int]:
        """Return attempt and rank that events of a producer belong to, as far as it is known."""
        mark = self._marks.get(producer)
        if mark is None:
            return self._document["starts"].get("0", 1), 0
        return mark["attempt"], mark["rank"] or 0

    def lasts(self) -> dict[str, int]:
        """Return the highest number folded of every producer."""
        return {producer: int(mark["last"]) for producer, mark in self._marks.items()}

    def count(self) -> int:
        """Return how many numbers are known, of all producers."""
        return sum(mark["last"] + 1 for mark in self._marks.values())

    def late(
        self, position: Position, producer: str, number: int, events: list[dict[str, Any]]
    ) -> Delivery:
        """Return one event that was parked as one of what its producer, which was met, is now."""
        ms, seq, index = position
        mark = self._marks[producer]
        delivery = _delivery(ms, seq, producer, mark, index, number, events)
        return replace(delivery, is_late=True)

    def admit(
        self, ms: int, seq: int, batch: Batch, events: list[dict[str, Any]]
    ) -> list[Delivery]:
        """Note the events of the stream entry `ms`-`seq` as folded; return those not folded before.

        Normally that is one delivery or none. A `run_started` begins a delivery of its own, because
        it decides about rank and attempt; so do `joined`, which takes the attempt of the parent,
        and `resumed`, which takes rank and attempt of the producer that it goes on for. A producer
        without any of them belongs to the latest attempt of rank 0 when it is first met.

        There is one event a line of the batch, no more than it has numbers; a line that is lacking
        makes its number a missing one. Numbers must be below LARGEST_NUMBER.
        """
        producer = batch.producer
        mark = self._marks.get(producer)
        if mark is None or mark["last"] < 0:
            mark = self._lineage.meet(producer)
        is_next = mark["last"] + 1 == batch.first
        if is_next and len(events) == batch.last - batch.first + 1 and _is_ordinary(events):
            mark["last"] = batch.last
            self._lineage.settle(producer)
            return [_delivery(ms, seq, producer, mark, 0, batch.first, events)]
        return self._admit_carefully(ms, seq, batch, events, mark)

    def document(self) -> dict[str, Any]:
        """Return the state as JSON-able dict; it is the ledger's own, so do not change it."""
        return self._document

    def _admit_carefully(
        self, ms: int, seq: int, batch: Batch, events: list[dict[str, Any]], mark: Mark
    ) -> list[Delivery]:
        fresh = mark["last"] + 1
        if batch.last < fresh:
            return []
        is_range = stands_for_range(batch, events)
        first = batch.last if is_range else batch.first  # number of events[0]
        _miss(mark, fresh, batch.last if is_range else batch.first - 1)
        start = max(0, fresh - first)
        found = []
        for index in self._cuts(batch.producer, mark, first, events, start):
            if start < index:
                part = events[start:index]
                found.append(_delivery(ms, seq, batch.producer, mark, start, first + start, part))
            start = max(start, index)
        _miss(mark, max(fresh, first + len(events)), batch.last)
        mark["last"] = batch.last
        return found

    def _cuts(
        self, producer: str, mark: Mark, first: int, events: list[dict[str, Any]], start: int
    ) -> Iterator[int]:
        """Note what the events say about their producer; yield where a delivery ends before that.

        What is yielded is to be delivered as the mark stands then.
        """
        for index in range(start, len(events)):
            event, number = events[index], first + index
            kind = event.get("type")
            if number == mark.get("left", -2) + 1:
                yield index
            if kind in PLACING and (number == 0 or kind == "run_started"):
                yield index
                self._lineage.place(producer, mark, event, number)
            elif kind == "loss":
                _lose(mark, event, number)
            elif kind in _SEALING and "left" not in mark:
                _seal(mark, event, number)
            if index == start:
                self._lineage.settle(producer)
        yield len(events)


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


def _delivery(
    ms: int,
    seq: int,
    producer: str,
    mark: Mark,
    start: int,
    number: int,
    events: list[dict[str, Any]],
) -> Delivery:
    is_foreign = "left" in mark and number > mark["left"]
    rank = mark["rank"]
    return Delivery(
        *(ms, seq, producer, rank or 0, mark["attempt"], start, events),
        number=number,
        is_child=rank is None,
        is_foreign=is_foreign,
    )


def _seal(mark: Mark, event: dict[str, Any], number: int) -> None:
    count = whole(event.get("count"), LARGEST_NUMBER) if event["type"] == "end" else None
    mark["sealed"] = max(count or 0, number + 1)
    children = event.get("children")
    if isinstance(children, list):
        listed = [child.get("producer") for child in children if isinstance(child, dict)]
        names = list(dict.fromkeys(filter(is_name, listed)))
        mark["children"] = names[:_MOST_CHILDREN]
    if whole(event.get("child_count"), LARGEST_NUMBER):
        mark["child_count"] = event["child_count"]


def _lose(mark: Mark, event: dict[str, Any], number: int) -> None:
    if event.get("uncounted") is True:
        mark.setdefault("uncounted", number)
    if event.get("first") is not None:
        _miss(mark, number, number)
        return
    counts = event.get("counts")
    if not isinstance(counts, dict):
        return
    shed = mark.setdefault("shed", {})
    for name, count in counts.items():
        if whole(count, LARGEST_NUMBER):
            kind = name[:_LONGEST_TYPE]
            kind = kind if kind in shed or len(shed) < _MOST_SHED_TYPES else "…"
            shed[kind] = min(shed.get(kind, 0) + count, LARGEST_NUMBER)


def _miss(mark: Mark, first: int, last: int) -> None:
    """Note that `first` to `last` are missing; they lie behind all that was noted before."""
    last = min(last, mark.get("left", last))
    if first > last:
        return
    missing = mark.setdefault("missing", [])
    if missing and first <= missing[-1][1] + 1 and "unlisted" not in mark:
        missing[-1][1] = max(last, missing[-1][1])
    elif len(missing) < _MOST_RANGES:
        missing.append([first, last])
    else:
        mark.setdefault("unlisted", [first, 0])[1] += last - first + 1

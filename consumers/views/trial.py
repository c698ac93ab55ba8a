"""Trying a view out, for its author's tests: no server, no store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from consumers.folding import differing
from consumers.folding.fold import JobFold
from consumers.views.of_packages.guarded import guarded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.entries.position import Position
    from synapse_stream.ports.job_view import JobView

    Tried = tuple[dict[str, Any], list[tuple[Any, ...]], list[tuple[Position, str]]]


def fold_view(view: type[JobView], job_id: str, entries: Iterable[RecordedBatch]) -> Tried:
    """Fold entries by a view of another package; return its state, rows, and what it refused.

    Raises:
        AssertionError: folded event by event, with a restart between any two, it has another.
        TypeError: it is not as a view must be.
    """
    rules, told = guarded(view), list(entries)
    fold = JobFold(rules, job_id, None)
    refused = [(one.position, one.reason) for entry in told for one in fold.apply(entry)]
    document, rows = fold.document(), [row.values for row in fold.rows() or ()]
    again, rows_again = None, []
    for entry in _singly(told):
        fold = JobFold(rules, job_id, again)
        fold.apply(entry)
        again, more = fold.document(), fold.rows() or ()
        rows_again += [row.values for row in more]
    _compare(view, document, rows, again or document, rows_again)
    return _state(document), rows, refused


def _compare(
    view: type[JobView], document: bytes, rows: list[Any], again: bytes, rows_again: list[Any]
) -> None:
    if rows == rows_again and _state(document) == _state(again):
        return
    one = {"state": _state(document), "rows": [list(row) for row in rows]}
    two = {"state": _state(again), "rows": [list(row) for row in rows_again]}
    found = differing.first_difference(one, two)
    msg = (
        f"{view.__name__} depends on how events are cut into batches, or keeps something beside "
        f"its state: in one go it has {found.expected if found else one}, event by event "
        f"{found.found if found else two}"
    )
    raise AssertionError(msg)


def _state(document: bytes) -> Any:
    return orjson.loads(document)["view"]["state"]


def _singly(entries: Iterable[RecordedBatch]) -> Iterator[RecordedBatch]:
    """Yield an entry an event, where that can be: what is told of entries by the ledger is."""
    for entry in entries:
        batch = entry.batch
        lines = batch.lines() if batch else []
        if batch is None or len(lines) != batch.last - batch.first + 1:
            yield entry
            continue
        for number, line in enumerate(lines, batch.first):
            one = replace(batch, first=number, last=number, data=line + b"\n")
            yield entry._replace(batch=one)

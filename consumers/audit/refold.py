"""A view against a fresh fold of what is recorded, up to where the view has come.

Up to where is told by the view's ledger, not by a position: a server that lost its tail gives the
same events other ids. Events that the view has parked are left out, and those that were retried are
folded where they were, which the document remembers.

The marks from which readers go back in time are compared with the same fold, each where it stands.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from consumers.folding import differing
from consumers.folding.fold import JobFold, Parked
from consumers.views import canonical
from synapse_stream.entries.position import Position
from synapse_stream.ports.audit import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumers.folding.decoding import Content
    from consumers.folding.port import JobView
    from synapse_stream.entries.batch import Batch
    from synapse_stream.entries.entry import RecordedBatch

_UNREADABLE = "what cannot be read"

MOVED = "equal, but at other positions: a server lost its tail, and the same events came again"


class StoredView(NamedTuple):
    """What one projection has of one job, from one state of the database."""

    document: bytes
    rows: Any
    """None, points by series, or messages, as `JobFold.rows` returns them."""
    parked: list[tuple[str, int]]
    """Producers and numbers of the events that are parked."""
    marks: Mapping[tuple[int, int], tuple[bytes, bytes]] = {}
    """Entry id → hash of the batch there and the document; readers believe it by the hash."""


class Refold:
    """Folds a job as a view did."""

    def __init__(self, view: type[JobView], job_id: str, stored: StoredView) -> None:
        content = orjson.loads(stored.document)
        self.name = view.name
        self.is_outdated: bool = content["v"] != view.version
        self.position = None if content["position"] is None else Position(*content["position"])
        self._stored = stored
        self._marks: dict[str, int] = {
            producer: mark["last"] for producer, mark in content["ledger"]["producers"].items()
        }
        self._due = deque(content.get("retried", ()))
        self._late: dict[tuple[str, int], Parked | None] = {
            (producer, number): None for producer, number, _ in self._due
        }
        aside: dict[str, set[int]] = {}
        for producer, number in [*stored.parked, *self._late]:
            aside.setdefault(producer, set()).add(number)
        self._fold = JobFold(view, job_id, None, set_aside=aside)
        self._count = 0
        self._refused: Finding | None = None
        self._false_mark: Finding | None = None

    def take(self, entry: RecordedBatch, content: Content | None) -> None:
        """Fold of an entry what the view has of it; `content` is that of its batch, if any."""
        batch = entry.batch
        if batch is None or self.is_outdated:
            return
        upto = min(batch.last, self._marks.get(batch.producer, -1))
        known = self._fold.last(batch.producer)
        while known < upto:
            fresh = max(known + 1, batch.first)
            room = self._due[0][2] - self._count if self._due else upto
            end = min(upto, fresh + room - 1) if room > 0 else upto
            part = _first(entry, end)
            for parked in self._fold.apply(part, content if part is entry else None):
                number = parked.number
                if number is not None and (batch.producer, number) in self._late:
                    self._late[batch.producer, number] = parked
            now = self._fold.last(batch.producer)
            self._count += now - known
            known = max(now, end)
            if known >= batch.last:
                self._compare_mark(entry, batch)
            self._retry()

    def compare(self) -> tuple[list[Finding], str | None]:
        """Return what differs, and what must be known though it is no difference."""
        if self.is_outdated:
            return [], f"{self.name} is of another version of the projection: rebuild it"
        wrong = self._refused or self._false_mark
        if wrong:
            return [wrong], None
        document, rows = self._fold.document(), self._fold.rows()
        if self._is_same(document, rows, positions=True):
            return [], None
        if self._is_same(document, rows, positions=False):
            return [], f"{self.name} is {MOVED}"
        return [self._difference(document, rows)], None

    def _is_same(self, document: bytes, rows: Any, *, positions: bool) -> bool:
        mine, stored = (
            canonical.of_document(one, positions=positions)
            for one in (document, self._stored.document)
        )
        if mine != stored or rows is None:
            return mine == stored
        if isinstance(rows, dict):
            return canonical.are_same_points(rows, self._stored.rows, positions=positions)
        mine, stored = (
            canonical.of_messages(one, positions=positions) for one in (rows, self._stored.rows)
        )
        return mine == stored

    def _difference(self, document: bytes, rows: Any) -> Finding:
        found = differing.first_difference(
            orjson.loads(document), orjson.loads(self._stored.document)
        )
        if found is None and rows is not None:
            compare = differing.of_points if isinstance(rows, dict) else differing.of_messages
            found = compare(rows, self._stored.rows)
        found = found or differing.Difference("a fresh fold", "another")
        return Finding(self.name, found.expected, found.found, found.position)

    def _compare_mark(self, entry: RecordedBatch, batch: Batch) -> None:
        """Compare the mark that stands at the end of an entry, if there is one."""
        link, document = self._stored.marks.get(entry[:2], (b"", b""))
        if self._false_mark or link != batch.hash:
            return
        fresh = self._fold.document()
        try:
            is_same = canonical.of_document(fresh, positions=False) == canonical.of_document(
                document, positions=False
            )
        except orjson.JSONDecodeError:
            is_same = False
        if not is_same:
            place = Position(entry.ms, entry.seq)
            self._false_mark = Finding(
                "mark", differing.shown(fresh), differing.shown(document) or _UNREADABLE, place
            )

    def _retry(self) -> None:
        while self._due and self._due[0][2] <= self._count:
            producer, number, _ = self._due.popleft()
            parked = self._late[producer, number]
            reason = "it is not recorded" if parked is None else self._fold.retry(parked)
            if reason is not None:
                self._refused = self._refused or Finding(
                    *(self.name, "an event that can be folded", reason),
                    *(parked.position if parked else None, producer, (number, number)),
                )


def _first(entry: RecordedBatch, last: int) -> RecordedBatch:
    """Return an entry without the numbers behind `last`; what stands for a range stays whole."""
    batch = entry.batch
    if batch is None or last >= batch.last:
        return entry
    lines = batch.lines()
    if len(lines) != batch.last - batch.first + 1:
        return entry
    data = b"".join(line + b"\n" for line in lines[: last - batch.first + 1])
    return entry._replace(batch=replace(batch, last=last, data=data))

"""A view against a fresh fold of what is recorded, up to where the view has come.

Up to where is told by the view's ledger, not by a position: a server that lost its tail gives the
same events other ids. Events that the view has parked are left out, and those that were retried are
folded where they were, which the document remembers.

The marks from which readers go back in time are compared with the same fold, each where it stands.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from consumers.folding import canonical, differing
from synapse_stream.entries.position import Position
from synapse_stream.ports.audit import Finding

if TYPE_CHECKING:
    from consumers.folding.decoding import Content
    from consumers.folding.port import Parked, Rows
    from consumers.store.stored import StoredView
    from consumers.views.port import View
    from synapse_stream.entries.batch import Batch
    from synapse_stream.entries.entry import RecordedBatch

_UNREADABLE = "what cannot be read"

MOVED = "equal, but at other positions: a server lost its tail, and the same events came again"


class Refold:
    """Folds a job as a view did."""

    def __init__(self, view: View, job_id: str, stored: StoredView) -> None:
        content = orjson.loads(stored.document)
        self.name = view.name
        self._by_position = view.rules.by_position
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
        self._fold = view.fold(job_id, set_aside=aside)
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

    def _is_same(self, document: bytes, rows: Rows | None, *, positions: bool) -> bool:
        if not self._are_same_documents(document, self._stored.document, positions=positions):
            return False
        return rows is None or rows.is_same(self._stored.rows, positions=positions)

    def _are_same_documents(self, one: bytes, other: bytes, *, positions: bool) -> bool:
        without = None if positions else self._by_position
        return canonical.of_document(one, without) == canonical.of_document(other, without)

    def _difference(self, document: bytes, rows: Rows | None) -> Finding:
        found = differing.first_difference(
            orjson.loads(document), orjson.loads(self._stored.document)
        )
        if found is None and rows is not None:
            found = rows.first_difference(self._stored.rows)
        found = found or differing.Difference("a fresh fold", "another")
        return Finding(self.name, found.expected, found.found, found.position)

    def _compare_mark(self, entry: RecordedBatch, batch: Batch) -> None:
        """Compare the mark that stands at the end of an entry, if there is one."""
        link, document = self._stored.marks.get(entry[:2], (b"", b""))
        if self._false_mark or link != batch.hash:
            return
        fresh = self._fold.document()
        try:
            is_same = self._are_same_documents(fresh, document, positions=False)
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

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

from consumers.audit.parking import Parking
from consumers.folding import canonical, differing
from consumers.folding.marking import TimedView
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
        self._wrong: Finding | None = None
        self._parked = Parking(self.name, stored.parked)
        self._timed = view.rules if issubclass(view.rules, TimedView) else None

    def take(self, entry: RecordedBatch, content: Content | None) -> None:
        """Fold of an entry what the view has of it; `content` is that of its batch, if any."""
        batch = entry.batch
        if batch is None or self.is_outdated:
            return
        there = self._marks.get(batch.producer, -1)
        if batch.last > there and entry[:2] <= self._stored.reached:
            self._behind(entry, batch, there)
        upto = min(batch.last, there)
        known = self._fold.last(batch.producer)
        while known < upto:
            fresh = max(known + 1, batch.first)
            room = self._due[0][2] - self._count if self._due else upto
            end = min(upto, fresh + room - 1) if room > 0 else upto
            part = _first(entry, end)
            for parked in self._fold.apply(part, content if part is entry else None):
                number = parked.number
                self._parked.take(parked)
                if number is not None and (batch.producer, number) in self._late:
                    self._late[batch.producer, number] = parked
            now = self._fold.last(batch.producer)
            self._count += now - known
            known = max(now, end)
            if known >= batch.last:
                self._compare_mark(entry, batch)
            self._retry()

    def compare(self) -> tuple[list[Finding], list[str]]:
        """Return what differs, and what must be known though it is no difference."""
        if self.is_outdated:
            return [], [f"{self.name} is of another version of the projection: rebuild it"]
        made_up = self._parked.made_up(self._marks)
        wrong = self._wrong or made_up
        if wrong:
            return [wrong], []
        notes = self._parked.notes(self._late)
        document, rows = self._fold.document(), self._fold.rows()
        if self._stored.fault is not None:
            return [Finding(self.name, "as its rows and document say", self._stored.fault)], notes
        if self._is_same(document, rows, positions=True):
            return [], notes
        if self._is_same(document, rows, positions=False):
            return [], [*notes, f"{self.name} is {MOVED}"]
        return [self._difference(document, rows)], notes

    def _behind(self, entry: RecordedBatch, batch: Batch, there: int) -> None:
        """Note that a view lacks what the projection has folded, as one put back from a copy."""
        expected = f"all up to number {batch.last}, for the projection is behind it"
        place = (Position(entry.ms, entry.seq), batch.producer, (there + 1, batch.last))
        self._wrong = self._wrong or Finding(self.name, expected, f"{there}", *place)

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
        stored = self._stored.marks.get(entry[:2])
        if self._wrong or stored is None or stored.hash != batch.hash:
            return
        fresh, document = self._fold.document(), stored.document
        expected, found = differing.shown(fresh), differing.shown(document) or _UNREADABLE
        try:
            is_same = self._are_same_documents(fresh, document, positions=False)
        except orjson.JSONDecodeError:
            is_same = False
        if is_same and self._timed:
            state = orjson.loads(fresh)["view"]
            time = self._timed(self._fold.job_id, state).latest_time()
            is_same = time == stored.time
            expected, found = f"the time {time}", f"{stored.time}"
        if not is_same:
            self._wrong = Finding("mark", expected, found, Position(entry.ms, entry.seq))

    def _retry(self) -> None:
        while self._due and self._due[0][2] <= self._count:
            producer, number, _ = self._due.popleft()
            parked = self._late[producer, number]
            reason = "it is not recorded" if parked is None else self._fold.retry(parked)
            if reason is not None:
                self._wrong = self._wrong or Finding(
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

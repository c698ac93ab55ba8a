"""One job in one projection: ledger and view, folded together.

The same fold serves the projector, replay and verification.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from consumers.errors import OutdatedFold
from consumers.folding.decoding import decode, split_lines
from consumers.folding.document import read_document
from consumers.folding.ledger import Ledger, stands_for_range
from consumers.folding.lineage import LARGEST_NUMBER, LONGEST_PRODUCER
from consumers.folding.port import CannotApply, Parked, refusal
from synapse_stream.entries.batch import GENESIS, Batch
from synapse_stream.entries.position import BEGINNING, Position

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from consumers.folding.decoding import Content
    from consumers.folding.marks import Mark
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.ports.job_view import Delivery, JobView

UNFORESEEN = "the projection failed"
"""Begins the reason of all events of a delivery at which a view failed that should not."""

_LARGEST_LINE = 512 * 1024  # of ours none is larger, so it can be tried again as it is
_LARGEST_RAW = 64 * 1024
_KEPT_OF_A_WORD = 4096
_MOST_PARKED = 1_000
_EVENTS_A_PIECE = 64
_EMPTY: dict[str, Any] = {}
_SET_ASIDE = "set aside"
_NOT_ALONE = "cannot be folded by itself, fold the job anew: "


Retried = list[Any]
"""`[producer, number, count]`, as in `JobFold.document`."""


class JobFold:
    """Ledger and view of one job in one projection.

    `has_changed` is True when something was folded since `rows` was called last.
    """

    def __init__(
        self,
        view: type[JobView],
        job_id: str,
        document: bytes | None,
        *,
        set_aside: Mapping[str, Collection[int]] | None = None,
    ) -> None:
        """Go on from `document`, as `document` returned it, or begin a new job.

        Events that `set_aside` names, by their producers and numbers, are parked though they could
        be folded: an earlier version of the projection could not, and who folds a job anew to
        compare it with a view must leave out what the view has left out.

        Raises:
            OutdatedFold: another version of the projection wrote the document; fold the job anew.
            DecodeError: it is no document of this job. A damaged one may raise anything.
        """
        self.job_id = job_id
        self.has_changed = False
        self._version = view.version
        content = _EMPTY if document is None else read_document(job_id, document)
        if content and content["v"] != view.version:
            msg = (
                f"the {view.name} fold of job {job_id!r} is of version {content['v']}, "
                f"not {view.version}; fold the job from its start"
            )
            raise OutdatedFold(msg)
        self._position: list[int] | None = content.get("position")
        self._retried: list[Retried] = content.get("retried", [])
        self._set_aside = set_aside or {}
        self._ledger = Ledger(content.get("ledger"))
        self._view = view(job_id, content.get("view"))

    @property
    def position(self) -> Position | None:
        """Where the last event stands that was folded or parked; None before the first."""
        return None if self._position is None else Position(*self._position)

    def last(self, producer: str) -> int:
        """Return the highest number folded of a producer, -1 for none."""
        return self._ledger.last(producer)

    def whose(self, producer: str) -> tuple[int, int]:
        """Return attempt and rank that events of a producer belong to, as far as it is known."""
        return self._ledger.whose(producer)

    def lasts(self) -> dict[str, int]:
        """Return the highest number folded of every producer."""
        return self._ledger.lasts()

    def apply(
        self, recorded: RecordedBatch, content: Content | None = None, *, refused: str | None = None
    ) -> list[Parked]:
        """Fold what is fresh of one stream entry; return what could not be folded.

        Whatever the entry holds, nothing is raised. What is parked counts as known from then on.
        Who gives one entry to several folds may decode it once: `content` is its batch's. With
        `refused` all of it is parked for that reason.
        """
        batch = recorded.batch
        if batch is None or not _is_sane(batch):
            return [_park_entry(self.job_id, recorded)]
        known = self._ledger.last(batch.producer)
        if batch.last <= known:
            return []
        self.has_changed = True
        events, unread = content or decode(batch)
        faults = self._aside(batch, events, refused) | unread
        self._position = [recorded.ms, recorded.seq, max(0, len(events) - 1)]
        for delivery in self._ledger.admit(recorded.ms, recorded.seq, batch, events):
            for part in _readable(delivery, faults) if faults else (delivery,):
                self._apply(part, faults)
        return self._park(recorded, batch, events, faults, known) if faults else []

    def retry(self, parked: Parked) -> str | None:
        """Fold an event that was parked; return why it cannot be folded, None when it was.

        It counts as known since it was parked, so only the view gets it, as one of its producer's
        rank and attempt and at its old position. Lines that cannot be read and entries that are no
        batch stay parked: what is in them the ledger has not seen.
        """
        producer, number = parked.producer, parked.number
        if producer is None or number is None or self._ledger.last(producer) < 0:
            return f"{_NOT_ALONE}{parked.reason.removeprefix(_NOT_ALONE)}"
        line = Batch(self.job_id, producer, number, number, GENESIS, parked.raw + b"\n")
        events, faults = decode(line)
        if not faults:
            delivery = self._ledger.late(parked.position, producer, number, events)
            self._apply(delivery, faults)
        if faults:
            (reason,) = faults.values()
            return reason
        self.has_changed = True
        self._retried.append([producer, number, self._ledger.count()])
        return None

    def document(self) -> bytes:
        """Return a job's document as JSON, keys sorted: v, job, position, ledger and view.

        `position` is that of the last event that was folded or parked; null before the first.
        Where events were retried, `retried` has in their order `[producer, number, count]`: how
        many numbers the ledger had when it was folded. So the same can be folded anew.
        """
        content: dict[str, Any] = {
            "v": self._version,
            "job": self.job_id,
            "position": self._position,
            "ledger": self._ledger.document(),
            "view": self._view.state,
        }
        if self._retried:
            content["retried"] = self._retried
        return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)

    def rows(self) -> Any:
        """Return what the writer has to add since the last call, as the view's `take_rows`."""
        self.has_changed = False
        return self._view.take_rows()

    def marks(self) -> Sequence[Mark]:
        """Return none: see `MarkingFold`."""
        return ()

    def _apply(self, delivery: Delivery, faults: dict[int, str]) -> None:
        """Give a delivery to the view; from its first fault on in pieces, as each costs its length.

        How it is cut changes nothing: see `JobView`.
        """
        following = self._apply_to_fault(delivery, faults)
        for begin in range(following, len(delivery.events), _EVENTS_A_PIECE):
            stop = min(begin + _EVENTS_A_PIECE, len(delivery.events))
            piece = _part(delivery, begin, stop)
            while piece.events:
                following = self._apply_to_fault(piece, faults)
                piece = _part(piece, following, len(piece.events))

    def _apply_to_fault(self, delivery: Delivery, faults: dict[int, str]) -> int:
        """Return how many events were folded or are at fault, the first fault being the last."""
        try:
            self._view.apply(delivery)
        except CannotApply as fault:
            faults[delivery.start + fault.index] = fault.reason
            return fault.index + 1
        except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the others
            for index in range(len(delivery.events)):
                faults[delivery.start + index] = f"{UNFORESEEN}: {refusal(error)}"
        return len(delivery.events)

    def _aside(
        self, batch: Batch, events: list[dict[str, Any]], refused: str | None
    ) -> dict[int, str]:
        if refused is not None:
            return dict.fromkeys(range(len(events)), refused)
        if batch.producer not in self._set_aside:
            return {}
        first = batch.last if stands_for_range(batch, events) else batch.first
        numbers = self._set_aside[batch.producer]
        return {i: _SET_ASIDE for i in range(len(events)) if first + i in numbers}

    def _park(
        self,
        recorded: RecordedBatch,
        batch: Batch,
        events: list[dict[str, Any]],
        faults: Mapping[int, str],
        known: int,
    ) -> list[Parked]:
        first = batch.last if stands_for_range(batch, events) else batch.first
        lines = split_lines(batch.data)
        fresh = [item for item in sorted(faults.items()) if first + item[0] > known]
        parked = [
            Parked(
                self.job_id,
                Position(recorded.ms, recorded.seq, index),
                reason,
                lines[index][:_LARGEST_LINE],
                batch.producer,
                first + index,
            )
            for index, reason in fresh[:_MOST_PARKED]
        ]
        if len(fresh) > _MOST_PARKED:
            index, reason = fresh[_MOST_PARKED]
            reason = f"so are {len(fresh) - _MOST_PARKED} events of this entry: {reason}"
            place = Position(recorded.ms, recorded.seq, index)
            parked.append(Parked(self.job_id, place, reason, b"", batch.producer, None))
        return parked


def fold_job(view: type[JobView], job_id: str, batches: Iterable[RecordedBatch]) -> JobFold:
    """Fold a whole run; what cannot be folded is left out."""
    fold = JobFold(view, job_id, None)
    for recorded in batches:
        fold.apply(recorded)
    return fold


def position_in(content: Mapping[str, Any]) -> Position:
    """Return where the last event stands that was folded or parked, as a document says."""
    return Position(*content["position"]) if content["position"] else BEGINNING


def _is_sane(batch: Batch) -> bool:
    return (
        0 <= batch.first <= batch.last < LARGEST_NUMBER and len(batch.producer) <= LONGEST_PRODUCER
    )


def _readable(delivery: Delivery, faults: Mapping[int, str]) -> list[Delivery]:
    """Return the parts of a delivery between its unreadable lines."""
    stop = delivery.start + len(delivery.events)
    bad = [index - delivery.start for index in sorted(faults) if delivery.start <= index < stop]
    begins = [0, *(index + 1 for index in bad)]
    return [
        _part(delivery, begin, end)
        for begin, end in zip(begins, [*bad, len(delivery.events)], strict=True)
        if begin < end
    ]


def _part(delivery: Delivery, begin: int, end: int) -> Delivery:
    return replace(
        delivery,
        start=delivery.start + begin,
        number=delivery.number + begin,
        events=delivery.events[begin:end],
    )


def _park_entry(job_id: str, recorded: RecordedBatch) -> Parked:
    if recorded.batch is None:
        reason, raw = recorded.error or "no batch", show_fields(recorded.raw or {})
    else:
        batch = recorded.batch
        reason = f"numbers {batch.first} to {batch.last} of producer {batch.producer[:50]!r}"
        raw = repr(batch.data[:_LARGEST_RAW]).encode()[:_LARGEST_RAW]
    position = Position(recorded.ms, recorded.seq, 0)
    return Parked(job_id, position, reason, raw, None, None)


def show_fields(fields: Mapping[bytes, bytes]) -> bytes:
    """Return the `repr` of an entry's fields, long ones cut."""
    shown = {name[:_KEPT_OF_A_WORD]: value[:_KEPT_OF_A_WORD] for name, value in fields.items()}
    return repr(shown).encode()[:_LARGEST_RAW]

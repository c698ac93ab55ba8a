"""Replay a run into another job: the same lines, from new producers.

Each producer of the original has a *twin* there, whose id follows from the two jobs, the original's
id and what part is replayed. A twin has the original's numbers and its lines byte for byte, in the
batches in which they came; only `run_started` gets a label more, `replay_of`, which names the
original, and where an event names another producer, as its parent, its child or the one it goes on
for, it names that one's twin. Numbers that are not replayed, or that the original lacks too, are a
`loss`. Since all of that is the same every time, a replay that broke off is repeated: what is there
is known.
"""

from __future__ import annotations

import re
from hashlib import sha256
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from synapse_stream.entries.answers import Outcome
from synapse_stream.entries.batch import GENESIS, seal
from synapse_stream.entries.leaves import SEED_BYTES
from synapse_stream.entries.position import Position
from synapse_stream.errors import JobExists, LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from synapse_stream.entries.batch import Batch
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.log.event_log import EventLog

LABEL = "replay_of"

_PLACING = ("run_started", "joined", "resumed")
_SEALING = ("end", "producer_lost")
_RENAMED = {"joined": "parent", "resumed": "producer"}
_CHANGED = re.compile(rb'"type":"(?:run_started|joined|resumed|end|producer_lost)"')
_REASON = "not replayed, or not in the original"


class Part(NamedTuple):
    """From which event to which a run is replayed; None: from the first, to the last."""

    begin: Position | None = None
    end: Position | None = None

    def has(self, position: Position) -> bool:
        """Tell whether an event is in it."""
        return not self.is_before(position) and (self.end is None or position <= self.end)

    def is_before(self, position: Position) -> bool:
        """Tell whether an event stands before it."""
        return self.begin is not None and position < self.begin


class Twin:
    """The producer in the new job that stands for one of the original's."""

    def __init__(self, log: EventLog, job_id: str, name: str) -> None:
        self.last = -1
        self._hash = GENESIS
        self._log = log
        self._job_id = job_id
        self._name = name
        (self._head,) = log.heads([(job_id, name)])

    @property
    def is_known(self) -> bool:
        """Whether it had events when this replay began."""
        return self._head.last >= 0

    def append(self, last: int, data: bytes, salts: bytes = b"") -> bool:
        """Append what follows up to the number `last`; False when it is there already.

        Its seed follows from `salts`, those of the original, so that it is the same every time.

        Raises:
            JobExists: something else is there.
            LogUnavailable: the server did not answer, or has lost what it had; repeat the replay.
        """
        first = self.last + 1
        named = f"{self._job_id}\n{self._name}\n{first}\n{last}\n".encode()
        seed = sha256(salts + named).digest()[:SEED_BYTES]
        batch = seal(self._hash, self._job_id, self._name, first, last, data, seed)
        self.last, self._hash = batch.last, batch.hash
        if last < self._head.last:
            return False
        is_new = last > self._head.last
        there = self._log.append(batch) if is_new else self._head
        if there.outcome is Outcome.GAP:
            msg = f"the server has lost what was replayed into job {self._job_id!r}"
            raise LogUnavailable(msg, "replay it again: it goes on from what is left")
        if (there.last, there.hash) != (batch.last, batch.hash):
            msg = f"job {self._job_id!r} has other events of {self._name}; replay into a new job"
            raise JobExists(msg)
        return is_new

    def lose(self, last: int, time_us: int) -> None:
        """Have a `loss` stand for what lacks up to the number `last`."""
        first = self.last + 1
        if first <= last:
            head = {"seq": first, "time": time_us, "type": "loss", "v": 1}
            lost = {**head, "counts": {}, "first": first, "last": last, "reason": _REASON}
            self.append(last, orjson.dumps(lost) + b"\n")


class Replayed(NamedTuple):
    """What a replay has come to."""

    events: int
    """Lines in the new job, those that were there before too."""
    appended: int
    left_out: int
    """Entries of the original that are no batch."""


class Replay:
    """One run on its way into another job."""

    def __init__(self, source: str, log: EventLog, target: str, part: Part) -> None:
        """Replay a part of the job `source` into the job `target` of `log`."""
        self._source = source
        self._log = log
        self._target = target
        self._part = part
        self._twins: dict[str, Twin] = {}
        self._events = self._appended = self._left_out = 0

    def run(self, entries: Iterable[RecordedBatch], wait: Callable[[int, bytes], None]) -> Replayed:
        """Append what the entries hold of the part.

        Args:
            entries: of the original, from the first on: of processes that began before the part,
                `run_started`, `joined` and `resumed` are replayed too.
            wait: is called with what is appended next: when the server had it, in ms, and its
                first line.

        Raises:
            JobExists: the new job has events that are not of this replay.
            LogUnavailable: the server did not answer; repeat the replay.
        """
        for entry in entries:
            if entry.batch is None:
                self._left_out += self._part.has(Position(entry.ms, entry.seq))
                continue
            for first, lines, last in self._pieces(entry, entry.batch):
                twin = self._twin(entry.batch.producer)
                twin.lose(first - 1, entry.ms * 1000)
                wait(entry.ms, lines[0])
                data = b"".join(line + b"\n" for line in lines)
                is_new = twin.append(last, data, entry.batch.salts)
                self._events += len(lines)
                self._appended += len(lines) if is_new else 0
        return Replayed(self._events, self._appended, self._left_out)

    def _pieces(self, entry: RecordedBatch, batch: Batch) -> list[tuple[int, list[bytes], int]]:
        """Return what is replayed of an entry: first number, lines, last number."""
        known = self._twins[batch.producer].last if batch.producer in self._twins else -1
        lines = batch.lines()
        if len(lines) != batch.last - batch.first + 1:  # as of a loss: it cannot be cut
            is_wanted = batch.first > known and self._part.has(Position(entry.ms, entry.seq))
            return [(batch.first, lines, batch.last)] if is_wanted and lines else []
        kept = [
            (batch.first + index, self._rewritten(line))
            for index, line in enumerate(lines)
            if batch.first + index > known
            and self._is_wanted(Position(entry.ms, entry.seq, index), line)
        ]
        pieces = []
        for _, group in groupby(enumerate(kept), key=lambda place: place[1][0] - place[0]):
            some = [numbered for _, numbered in group]
            pieces.append((some[0][0], [line for _, line in some], some[-1][0]))
        return pieces

    def _is_wanted(self, position: Position, line: bytes) -> bool:
        if self._part.is_before(position):
            return (_changed(line) or {}).get("type") in _PLACING
        return self._part.has(position)

    def _rewritten(self, line: bytes) -> bytes:
        """Return a line as it is, but `run_started` with its label, and producers as twins."""
        event = _changed(line)
        kind = event["type"] if event else None
        if event is None or (kind in _SEALING and not event.get("children")):
            return line
        event.pop("identity", None)  # the new producer is another one
        if kind == "run_started":
            labels = event.get("labels")
            event["labels"] = {**(labels if isinstance(labels, dict) else {}), LABEL: self._source}
        elif kind in _RENAMED:
            event[_RENAMED[kind]] = self._name(event.get(_RENAMED[kind]))
        elif isinstance(event["children"], list):
            for child in event["children"]:
                if isinstance(child, dict):
                    child["producer"] = self._name(child.get("producer"))
        return orjson.dumps(event)

    def _name(self, producer: Any) -> Any:
        """Return the name of a producer's twin; what is no name stays."""
        if not isinstance(producer, str):
            return producer
        of = [self._source, producer, self._target, *map(str, self._part)]
        return f"replay-{sha256(orjson.dumps(of)).hexdigest()[:24]}"

    def _twin(self, producer: str) -> Twin:
        twin = self._twins.get(producer)
        if twin is None:
            twin = Twin(self._log, self._target, self._name(producer))
            if not self._twins and not twin.is_known and self._log.knows(self._target):
                msg = (
                    f"there is a job {self._target!r} already, and it is no replay of this part of "
                    f"{self._source!r}; choose another name"
                )
                raise JobExists(msg)
            self._twins[producer] = twin
        return twin


def _changed(line: bytes) -> dict[str, Any] | None:
    """Return the event of a line that may not stay as it is; None for all others."""
    if not _CHANGED.search(line):
        return None
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    is_one = isinstance(event, dict) and event.get("type") in (*_PLACING, *_SEALING)
    return event if is_one else None

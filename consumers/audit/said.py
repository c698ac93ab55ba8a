"""What a job's producers say about one another, for the verdict over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumers.folding.decoding import event_of
from consumers.folding.lineage import is_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from synapse_stream.entries.batch import Batch

_SHOWN = 5
_BEGINNINGS = (b'"resumed"', b'"joined"', b'"identity":')
_LOSS = b'"type":"loss"'


class Said:
    """Listens to all batches of a job, each once."""

    def __init__(self) -> None:
        self.left: dict[str, tuple[str, int]] = {}
        """Producer → under which name its process goes on, and its own last number before."""
        self.identities: dict[str, Any] = {}
        """Producer → what its first event says of who it is."""
        self._children: dict[str, set[str]] = {}
        self._counts: dict[str, int] = {}
        self._joined: dict[str, set[str]] = {}
        self._uncounted: list[str] = []
        self.shed: dict[str, dict[str, int]] = {}
        """By producer and type, how many events were given up before they had a number."""

    def take(self, batch: Batch) -> None:
        """Note what a batch says."""
        lines = batch.data.rstrip(b"\n").split(b"\n")
        if batch.first == 0 and any(mark in lines[0] for mark in _BEGINNINGS):
            self._begin(batch.producer, event_of(lines[0]))
        if b'"children"' in lines[-1] or b'"child_count"' in lines[-1]:
            self._end(batch.producer, event_of(lines[-1]))
        if _LOSS in batch.data:  # metrics are called loss, too
            for line in lines:
                if _LOSS in line:
                    self._shed(batch.producer, event_of(line))
        if b'"uncounted":true' in batch.data:
            found = [event_of(line) for line in lines if b'"uncounted":true' in line]
            if any(event.get("type") == "loss" for event in found):
                self._uncounted.append(batch.producer)

    def own_count(self, producer: str) -> int | None:
        """Return how many events of a name are its process's own; None where all are."""
        return self.left[producer][1] + 1 if producer in self.left else None

    def waiting(self, sealed: Collection[str]) -> tuple[list[str], int]:
        """Return child processes that have not ended, and how many that are with unnamed ones."""
        named = {child for children in self._children.values() for child in children}
        unnamed = 0
        for producer, count in self._counts.items():
            known = self._children.get(producer, set())
            for name in self._names(producer):
                known = known | self._joined.get(name, set())
            unnamed += max(0, count - len(known))
        waiting = sorted(named.difference(sealed))
        return waiting, len(waiting) + unnamed

    def notes(self, sealed: Collection[str]) -> list[str]:
        """Return what must be known, though it is no difference."""
        said = [
            f"{producer} went on as {heir}, since others reported under its name: what stands "
            f"there behind number {last} is not its own"
            for producer, (heir, last) in self.left.items()
        ]
        names, count = self.waiting(sealed)
        if count:
            shown = ", ".join(names[:_SHOWN]) + (", …" if count > min(len(names), _SHOWN) else "")
            said.append(f"child processes that have not ended, or not sent all: {count} ({shown})")
        lost = sorted(set(self._uncounted))
        return [
            *said,
            *(f"of {name} an unknown number is missing, as is recorded" for name in lost),
        ]

    def _begin(self, producer: str, event: Mapping[str, Any]) -> None:
        if event.get("identity") is not None:
            self.identities[producer] = event["identity"]
        if event.get("type") == "joined" and is_name(event.get("parent")):
            self._joined.setdefault(event["parent"], set()).add(producer)
        old, last = event.get("producer"), event.get("last")
        if event.get("type") == "resumed" and is_name(old) and type(last) is int and last >= -1:
            heir, known = self.left.get(old, (producer, last))
            self.left[old] = heir, min(last, known)

    def _shed(self, producer: str, event: Mapping[str, Any]) -> None:
        counts = event.get("counts")
        if event.get("type") != "loss" or event.get("first") is not None:
            return
        for kind, count in counts.items() if isinstance(counts, dict) else ():
            if type(count) is int and count > 0:
                shed = self.shed.setdefault(producer, {})
                shed[kind] = shed.get(kind, 0) + count

    def _end(self, producer: str, event: Mapping[str, Any]) -> None:
        if event.get("type") not in ("end", "producer_lost"):
            return
        children, count = event.get("children"), event.get("child_count")
        if isinstance(children, list):
            names = (child.get("producer") for child in children if isinstance(child, dict))
            self._children[producer] = set(filter(is_name, names))
        if type(count) is int:
            self._counts[producer] = count

    def _names(self, producer: str) -> list[str]:
        """Return the names that a process has had, the given one first."""
        before = {heir: old for old, (heir, _) in self.left.items()}
        names = [producer]
        while (name := before.get(names[-1], producer)) not in names:
            names.append(name)
        return names

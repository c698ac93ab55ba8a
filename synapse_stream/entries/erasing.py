"""Erasing lines of a batch: its leaves stay, and so all that is proved of it.

In the place of a line stands one of type `erased`, which tells its number, time and type. Of lines
that say which process this is, and how it ended, type and structure stay, and only text goes: else
nobody could tell any more whose events are whose, and whether all are there.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from synapse_stream.entries.leaves import Leaf, leaves_of, written
from synapse_stream.entries.limits import LARGEST_SALTS_BYTES
from synapse_stream.errors import SynapseStreamError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from synapse_stream.entries.batch import Batch

_HEAD = ("seq", "time", "v")
_LONGEST_TYPE = 32
_STRUCTURE: dict[str, Sequence[str]] = {
    "run_started": ("pid", "rank", "attempt"),
    "joined": ("parent", "pid"),
    "resumed": ("producer", "last", "pid", "rank"),
    "producer_lost": ("pid", "rank", "last", "children", "child_count"),
    "end": ("status", "count", "rank", "children", "child_count"),
    "loss": ("counts", "first", "last", "uncounted"),
}
_REQUIRED = {"run_started": ("host",), "resumed": ("reason",), "producer_lost": ("reason",)}
_REQUIRED["loss"] = ("reason",)
ERASED = "erased"
"""Type of the line in place of another, and what stands for a text that is required."""


class CannotErase(SynapseStreamError):
    """What was to be erased is not there, or may not go."""


class Erasure(NamedTuple):
    """That lines of a producer were erased, by whom and why."""

    producer: str
    first: int
    last: int
    position: str
    """Where the first of them stands, as it was named."""
    time_ms: int
    reason: str
    by: str
    digest: str
    """SHA-256 (hex) of the lines that stand in their place."""

    @classmethod
    def parse(cls, found: Any) -> Erasure:
        """Read one as it was written.

        Raises:
            ValueError: it is none.
        """
        try:
            words = [found[name] for name in cls._fields]
        except (TypeError, KeyError, IndexError) as error:
            msg = f"{found!r:.100} is no erasure"
            raise ValueError(msg) from error
        kinds = (str, int, int, str, int, str, str, str)
        if not all(type(word) is kind for word, kind in zip(words, kinds, strict=True)):
            msg = f"{found!r:.100} is no erasure"
            raise ValueError(msg)
        return cls(*words)

    def overlaps(self, producer: str, first: int, last: int) -> bool:
        """Tell whether it is about any of these numbers of a producer."""
        return producer == self.producer and self.first <= last and self.last >= first

    def covers(self, producer: str, first: int, last: int) -> bool:
        """Tell whether it is about all of these numbers of a producer."""
        return producer == self.producer and self.first <= first and self.last >= last


def numbered_leaves(batch: Batch) -> Iterator[tuple[int, int, Leaf]]:
    """Yield the leaves of a batch with the first and the last number of each.

    Raises:
        ValueError: its salts are those of other lines.
    """
    leaves = leaves_of(batch.salts, batch.data)
    number = batch.last + 1 - sum(leaf.lines.count(b"\n") for leaf in leaves)
    for leaf in leaves:
        count = leaf.lines.count(b"\n")
        yield number, number + count - 1, leaf
        number += count


def erase(batch: Batch, first: int, last: int) -> Batch:
    """Return a batch without its lines `first` to `last`, and without those that share a leaf.

    Its chain hash and all leaves stay; one of which nothing is to go is returned as it is.

    Raises:
        CannotErase: its salts would be too many.
    """
    found = [
        (Leaf(_in_place_of(leaf.lines), b"", leaf.hash), True)
        if begin <= last and end >= first and not leaf.is_erased
        else (leaf, False)
        for begin, end, leaf in numbered_leaves(batch)
    ]
    if not any(is_new for _, is_new in found):
        return batch
    leaves = [leaf for leaf, _ in found]
    salts = written(leaves)
    if len(salts) > LARGEST_SALTS_BYTES:
        msg = f"its batch has {len(leaves)} leaves, of which no batch of ours has so many"
        raise CannotErase(msg)
    return replace(batch, data=b"".join(leaf.lines for leaf in leaves), salts=salts)


def erased_numbers(batch: Batch) -> list[tuple[int, int, str]]:
    """Return first and last number of every erased leaf, and the digest of what stands there."""
    return [
        (begin, end, sha256(leaf.lines).hexdigest())
        for begin, end, leaf in numbered_leaves(batch)
        if leaf.is_erased
    ]


def _in_place_of(lines: bytes) -> bytes:
    return b"".join(_stub(line) + b"\n" for line in lines.split(b"\n")[:-1])


def _stub(line: bytes) -> bytes:
    """Return what stands in the place of a line: always the same, so that copies stay equal."""
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        event = {}
    if not isinstance(event, dict):
        event = {}
    kind = event.get("type")
    kept = {name: event[name] for name in _HEAD if type(event.get(name)) is int}
    if kind in _STRUCTURE:
        kept |= {"type": kind}
        kept |= {name: event[name] for name in _STRUCTURE[kind] if name in event}
        kept |= dict.fromkeys(_REQUIRED.get(kind, ()), ERASED)
        return orjson.dumps(kept | {ERASED: True})
    is_name = isinstance(kind, str) and kind.isidentifier() and len(kind) <= _LONGEST_TYPE
    return orjson.dumps(kept | {"type": ERASED, "v": 1, "was": kind if is_name else None})


def parse_erasures(erasures: Sequence[Mapping[str, Any]]) -> list[Erasure]:
    """Read erasures as a manifest or an export has them.

    Raises:
        ValueError: one is none.
    """
    return [Erasure.parse(found) for found in erasures]

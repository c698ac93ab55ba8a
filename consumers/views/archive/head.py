"""The head of a block, read strictly: there is one way to write it, and no other is taken."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LINES, ZSTD, OTHER = range(3)
"""The forms of a payload."""

_LENGTH_BYTES = 4
_COLUMNS = ("ms", "seq", "who", "first", "count", "salts", "form", "size")
_STEPPED = ("ms", "seq", "first")
_NOBODY = -1


class Line(NamedTuple):
    """What a head says of one entry."""

    ms: int
    seq: int
    who: int
    """Index of the producer."""
    first: int
    count: int  # type: ignore[assignment]  # hides tuple.count
    salts: int
    """How many bytes."""
    form: int
    size: int


class Head(NamedTuple):
    """What a block says of its entries."""

    producers: list[bytes]
    lines: list[Line]
    hashed: Sequence[int]
    """The entries of which the hash is there, in order."""
    stop: int
    """Where the hashes begin."""


def write_head(
    producers: Sequence[bytes], found: Sequence[list[int]], hashed: list[int] | None
) -> bytes:
    """Return a head behind its length.

    Args:
        producers: of all batches, in the order in which they are met.
        found: what `Line` has of every entry, column by column.
        hashed: as `Head` has it; None where all hashes are there.
    """
    columns = dict(zip(_COLUMNS, found, strict=True))
    for name in _STEPPED:
        values = columns[name]
        columns[name] = [values[0], *(two - one for one, two in pairwise(values))]
    text = _text([producer.decode() for producer in producers], columns, hashed)
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text


def read_head(body: bytes, *, is_loose: bool) -> Head:
    """Read the head of a block.

    Raises:
        ValueError: it is not as `write_head` writes one.
        KeyError, TypeError: nor are its members.
    """
    stop = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES], "little")
    text = body[_LENGTH_BYTES:stop]
    found = orjson.loads(text)
    producers, hashed = found["producers"], found["hashed"]
    columns = {name: found[name] for name in _COLUMNS}
    if text != _text(producers, columns, hashed) or not all(map(_are_numbers, columns.values())):
        msg = "its head is not written as heads are"
        raise ValueError(msg)
    columns |= {name: list(accumulate(columns[name])) for name in _STEPPED}
    lines = [Line(*line) for line in zip(*columns.values(), strict=True)]
    batches = [index for index, line in enumerate(lines) if line.form != OTHER]
    is_sound = (
        bool(lines)
        and all(_is_sound(line, len(producers), is_loose=is_loose) for line in lines)
        and all(two[:2] > one[:2] for one, two in pairwise(lines))
        and _are_met(producers, [lines[index].who for index in batches])
        and (hashed is None if is_loose else _is_part(hashed, batches))
    )
    if not is_sound:
        msg = "its head tells of what no block holds"
        raise ValueError(msg)
    names = [producer.encode() for producer in producers]
    return Head(names, lines, batches if is_loose else hashed, stop)


def payloads_of(body: bytes, head: Head, start: int) -> Iterator[bytes]:
    """Yield the payloads of a block, which begin at `start` and end with its body.

    Raises:
        ValueError: they do not.
    """
    if start + sum(line.size for line in head.lines) != len(body):
        msg = "it holds more bytes than its head tells of, or fewer"
        raise ValueError(msg)
    for line in head.lines:
        yield body[start : start + line.size]
        start += line.size


def _text(producers: Any, columns: dict[str, Any], hashed: Any) -> bytes:
    return orjson.dumps({"producers": producers, **columns, "hashed": hashed})


def _are_numbers(column: Any) -> bool:
    return type(column) is list and {*map(type, column)} <= {int}


def _is_sound(line: Line, producers: int, *, is_loose: bool) -> bool:
    if min(line.ms, line.seq, line.first, line.size) < 0:
        return False
    if line.form == OTHER:
        return (line.who, line.first, line.count, line.salts) == (_NOBODY, 0, 0, 0)
    is_form = line.form == LINES or (line.form == ZSTD and is_loose)
    return is_form and 0 <= line.who < producers and line.count > 0 and line.salts > 0


def _are_met(producers: Any, who: Sequence[int]) -> bool:
    """Tell whether producers are in the order of their first batches, each once."""
    met = list(dict.fromkeys(who))
    return met == list(range(len(producers))) and len({*producers}) == len(producers)


def _is_part(hashed: Any, batches: Sequence[int]) -> bool:
    """Tell whether it lists some of `batches`, in order, each once."""
    if not _are_numbers(hashed) or not {*hashed} <= {*batches}:
        return False
    return all(one < two for one, two in pairwise(hashed))

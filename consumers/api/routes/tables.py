"""Every point of series as a table, CSV or Parquet: a row a point, in memory piece by piece."""

from __future__ import annotations

import io
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from synapse_stream.ports.views import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typing_extensions import Buffer

    from synapse_stream.entries.position import Position
    from synapse_stream.ports.views import Series, SeriesKey, Views

HAS_PARQUET = find_spec("pyarrow") is not None
"""The extra `parquet` brings it."""

_ROW_GROUP = 8_192
_ALIKE = ["attempt", "rank", "step", "name"]


def pieces(
    views: Views, job_id: str, keys: Iterable[SeriesKey], until: Position | None
) -> Iterator[Series]:
    """Yield all points of series, some of one at a time."""
    for key in keys:
        yield from views.pieces(job_id, key, until=until)


def as_csv(found: Iterable[Series]) -> Iterator[bytes]:
    """Yield lines of CSV, some at a time."""
    yield _lines(table.csv_text([table.COLUMNS]))
    yield from map(_lines, map(table.points, found))


def as_parquet(found: Iterable[Series]) -> Iterator[bytes]:
    """Yield a Parquet file with the columns of the CSV, a row group at a time."""
    import pyarrow as pa  # noqa: PLC0415 - an extra
    from pyarrow import parquet  # noqa: PLC0415

    int32, text, float64 = pa.int32(), pa.string(), pa.float64()
    types = [int32, int32, text, text, text, pa.timestamp("us", tz="UTC"), float64, float64]
    schema = pa.schema(list(zip(table.COLUMNS, types, strict=True)))
    sink, rows = _Sink(), (pa.table(_columns(pa, piece), schema=schema) for piece in found)
    with parquet.ParquetWriter(
        sink, schema, compression="zstd", use_dictionary=_ALIKE
    ) as writer:  # it keeps what it makes dictionaries of
        while group := _taken(rows):
            writer.write_table(pa.concat_tables(group))
            group.clear()
            yield sink.take()
    yield sink.take()


def _taken(tables: Iterator[Any]) -> list[Any]:
    """Return the next tables, together enough for a row group."""
    taken, rows = [], 0
    while rows < _ROW_GROUP and (one := next(tables, None)) is not None:
        taken.append(one)
        rows += len(one)
    return taken


class _Sink(io.RawIOBase):
    """A file whose content is taken away while it is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


def _columns(pa: Any, piece: Series) -> dict[str, Any]:
    attempt, rank, *texts = piece.key
    of_key = zip(table.COLUMNS, (attempt, rank, *map(_text, texts)), strict=False)
    types = (pa.int32(), pa.int32(), pa.string(), pa.string())
    count = len(piece)
    return {
        **{
            name: pa.repeat(pa.scalar(part, kind), count)
            for (name, part), kind in zip(of_key, types, strict=True)
        },
        "position": piece.positions.texts(),
        "time": np.asarray(piece.times),
        "x": pa.nulls(count) if piece.xs is None else pa.array(piece.xs, from_pandas=True),
        "value": np.asarray(piece.values),
    }


def _text(part: str | None) -> str | None:
    """Return a part of a key; a lone surrogate, which UTF-8 does not have, as a question mark."""
    return part.encode(errors="replace").decode() if part is not None else None


def _lines(text: str) -> bytes:
    return text.encode(errors="replace")

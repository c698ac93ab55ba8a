"""Every point of series as a table, CSV or Parquet: a row a point, in memory piece by piece."""

from __future__ import annotations

import io
from importlib.util import find_spec
from itertools import islice
from math import isnan
from typing import TYPE_CHECKING, Any

from synapse_stream.ports.views import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from typing_extensions import Buffer

    from synapse_stream.entries.position import Position
    from synapse_stream.ports.views import Series, SeriesKey, Views

HAS_PARQUET = find_spec("pyarrow") is not None
"""The extra `parquet` brings it."""

_ROWS_AT_ONCE = 1_000


def pieces(
    views: Views, job_id: str, keys: Iterable[SeriesKey], until: Position | None
) -> Iterator[Series]:
    """Yield all points of series, some of one at a time."""
    for key in keys:
        yield from views.pieces(job_id, key, until=until)


def as_csv(found: Iterable[Series]) -> Iterator[bytes]:
    """Yield lines of CSV, some at a time."""
    yield _lines([table.COLUMNS])
    for piece in found:
        rows = table.points(piece)
        while some := list(islice(rows, _ROWS_AT_ONCE)):
            yield _lines(some)


def as_parquet(found: Iterable[Series]) -> Iterator[bytes]:
    """Yield a Parquet file with the columns of the CSV, a row group a piece."""
    import pyarrow as pa  # noqa: PLC0415 - an extra
    from pyarrow import parquet  # noqa: PLC0415

    int32, text, float64 = pa.int32(), pa.string(), pa.float64()
    types = [int32, int32, text, text, text, pa.timestamp("us", tz="UTC"), float64, float64]
    schema = pa.schema(list(zip(table.COLUMNS, types, strict=True)))
    sink = _Sink()
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        for piece in found:
            writer.write_table(pa.table(_columns(piece), schema=schema))
            yield sink.take()
    yield sink.take()


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


def _columns(piece: Series) -> dict[str, Any]:
    count = len(piece.values)
    of_key = zip(table.COLUMNS, piece.key, strict=False)
    return {
        **{name: [_text(part)] * count for name, part in of_key},
        "position": [str(place) for place in piece.positions],
        "time": piece.times,
        "x": [None] * count if piece.xs is None else [None if isnan(x) else x for x in piece.xs],
        "value": piece.values,
    }


def _text(part: Any) -> Any:
    """Return a part of a key; a lone surrogate, which UTF-8 does not have, as a question mark."""
    return part.encode(errors="replace").decode() if isinstance(part, str) else part


def _lines(rows: Iterable[Sequence[Any]]) -> bytes:
    return table.csv_text(rows).encode(errors="replace")

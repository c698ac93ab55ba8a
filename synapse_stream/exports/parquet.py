"""The metrics of a run as Parquet: a row a value, in the order of the stream."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from synapse_stream.errors import ConfigError
from synapse_stream.events import Metrics, RunStarted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from synapse_stream.events import RecordedEvent

_ROWS_A_GROUP = 100_000


def write_parquet(events: Iterable[RecordedEvent], file: IO[bytes]) -> int:
    """Write the metrics; return how many values. Memory holds one row group.

    Raises:
        ConfigError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra of its own
        from pyarrow import parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        msg = f"Parquet needs {error.name}: pip install 'synapse-stream[parquet]' brings it"
        raise ConfigError(msg) from error
    schema = pa.schema(
        [
            ("position", pa.string()),
            ("producer", pa.string()),
            ("rank", pa.int32()),
            ("time", pa.timestamp("us", tz="UTC")),
            ("step", pa.string()),
            ("name", pa.string()),
            ("value", pa.float64()),
            ("x", pa.float64()),
        ]
    )
    count = 0
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in _groups(_values(events)):
            columns = dict(zip(schema.names, zip(*group, strict=True), strict=True))
            writer.write_table(pa.table({k: list(v) for k, v in columns.items()}, schema=schema))
            count += len(group)
    return count


def _values(events: Iterable[RecordedEvent]) -> Iterator[tuple[Any, ...]]:
    ranks: dict[str, int] = {}
    for found in events:
        event = found.event
        if isinstance(event, RunStarted):
            ranks[found.producer] = event.rank
        if not isinstance(event, Metrics):
            continue
        place = (str(found.position), found.producer, ranks.get(found.producer, 0), event.time)
        for name, value in event.values.items():
            x = None if event.x is None else float(event.x)
            yield (*place, event.step, name, float(value), x)


def _groups(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    group: list[tuple[Any, ...]] = []
    for row in rows:
        group.append(row)
        if len(group) == _ROWS_A_GROUP:
            yield group
            group = []
    if group:
        yield group

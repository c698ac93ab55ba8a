"""The metrics of a run as Parquet: a row a value, in the order of the stream."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from synapse_stream.errors import ConfigError
from synapse_stream.events.types import Metrics, RunStarted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from synapse_stream.events.types import RecordedEvent

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
            ("attempt", pa.int32()),
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
    origins = _Origins()
    for found in events:
        event = found.event
        attempt, rank = origins.of(found)
        if not isinstance(event, Metrics):
            continue
        place = (str(found.position), found.producer, attempt, rank, event.time)
        for name, value in event.values.items():
            x = None if event.x is None else float(event.x)
            yield (*place, event.step, name, float(value), x)


class _Origins:
    """Tells attempt and rank of events, which must all pass in order, as the views tell them."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[int, int]] = {}
        self._latest: dict[int, int] = {}

    def of(self, found: RecordedEvent) -> tuple[int, int]:
        """Return attempt and rank; a forked child belongs to what rank 0 had begun before it."""
        event = found.event
        if isinstance(event, RunStarted):
            latest = self._latest.get(event.rank, 0)
            attempt = event.attempt or latest + 1
            self._latest[event.rank] = max(latest, attempt)
            self._of[found.producer] = (attempt, event.rank)
        return self._of.setdefault(found.producer, (self._latest.get(0, 1), 0))


def _groups(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    group: list[tuple[Any, ...]] = []
    for row in rows:
        group.append(row)
        if len(group) == _ROWS_A_GROUP:
            yield group
            group = []
    if group:
        yield group

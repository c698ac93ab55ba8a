"""An entry of a job's stream as readers get it, and what points to it in a feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from synapse_stream.entries.batch import Batch, decode_fields
from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_stream.entries.batch import RawEntry

EntryId = tuple[int, int]


class RecordedBatch(NamedTuple):
    """One entry of a job's stream; in place of a batch that cannot be read, why."""

    ms: int
    seq: int
    batch: Batch | None
    error: str | None = None
    raw: Mapping[bytes, bytes] | None = None
    """The fields as they stand there."""


class FeedPointer(NamedTuple):
    """One entry of a partition's feed: the job's stream has got an entry with this very id."""

    entry: EntryId
    job_id: str
    """Empty if it points to nothing: `fault` says why."""
    count: int  # type: ignore[assignment]  # hides tuple.count
    """How many events that entry should hold: what is written there, whatever it is."""
    fault: str | None = None
    raw: bytes = b""
    """Of one with a fault the `repr` of its fields, cut."""


def recorded_batch(job_id: str, entry: RawEntry) -> RecordedBatch:
    """Unpack an entry of a job's stream."""
    ms, seq, fields = entry
    try:
        return RecordedBatch(ms, seq, decode_fields(job_id, fields), raw=fields)
    except DecodeError as error:
        return RecordedBatch(ms, seq, None, str(error), fields)

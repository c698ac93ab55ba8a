"""Batches as a producer makes them, for tests of what lies behind the producer."""

from __future__ import annotations

from typing import Any

import orjson

from synapse_stream.entries.batch import GENESIS, Batch, seal


class Chain:
    """A producer's sequence of linked batches; `batches` holds all that were made."""

    def __init__(self, job_id: str = "job-1", producer: str = "producer-1") -> None:
        self.job_id = job_id
        self.producer = producer
        self.batches: list[Batch] = []

    @property
    def last(self) -> int:
        """Number of the newest event, -1 if there is none."""
        return self.batches[-1].last if self.batches else -1

    def add(self, *events: dict[str, Any]) -> Batch:
        """Make the next batch, of `events` or of one heartbeat."""
        lines = [
            orjson.dumps(
                {"seq": number, "time": 1_763_880_000_000_000 + number, "type": "heartbeat", "v": 1}
                | event
            )
            for number, event in enumerate(events or ({},), self.last + 1)
        ]
        return self.add_data(b"".join(line + b"\n" for line in lines), len(lines))

    def add_data(self, data: bytes, count: int) -> Batch:
        """Make the next batch of `count` numbers and these very bytes."""
        previous = self.batches[-1].hash if self.batches else GENESIS
        first = self.last + 1
        batch = seal(previous, self.job_id, self.producer, first, first + count - 1, data)
        self.batches.append(batch)
        return batch

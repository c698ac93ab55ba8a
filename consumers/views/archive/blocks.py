"""The rows of the archive: blocks of entries.

A block's `start` is the number of entries before it, so a gap between blocks shows, and merging
renumbers nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, literal, select, type_coerce

from consumers.store.schema import block
from consumers.store.sql import RowWriter, slices
from consumers.views.archive.block import LARGEST_STORED_BYTES, Block, read_block

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

_MANY = 1_000_000  # a job that was loose before this process came is looked at once

_writer = RowWriter(block)

_is_small = func.length(block.c.body) <= LARGEST_STORED_BYTES
BODY = type_coerce(case((_is_small, block.c.body), else_=literal(b"")), block.c.body.type)
"""The body of a block; nothing of one that is larger than any, so it is not read into memory."""


@dataclass(slots=True)
class _Loose:
    """A job that has small blocks to be merged."""

    blocks: int
    """How many have come since they were merged last."""
    grown_at: float = field(default_factory=time.monotonic)


class LooseJobs(dict[int, _Loose]):
    """The jobs of one lease that have small blocks, by their numbers."""

    def __init__(self, connection: Connection, partition: int) -> None:
        query = select(block.c.job_no).where(block.c.partition == partition, block.c.is_loose)
        super().__init__(
            {no: _Loose(_MANY) for no in connection.execute(query.distinct()).scalars()}
        )

    def grow(self, numbers: Iterable[int]) -> None:
        """Note that a block has come to each of these jobs."""
        now = time.monotonic()
        for no in numbers:
            loose = self.setdefault(no, _Loose(0))
            loose.blocks += 1
            loose.grown_at = now


def insert_blocks(
    connection: Connection, job_no: int, partition: int, placed: Iterable[tuple[int, Block]]
) -> None:
    """Add blocks, given with their starts, to a job."""
    rows: list[tuple[Any, ...]] = [
        (
            *(job_no, start, partition, *one.first, *one.last, one.entries),
            *(one.size, one.is_loose, one.digest, one.body),
        )
        for start, one in placed
    ]
    _writer.write(connection, rows)


def read_bodies(connection: Connection, job_id: str, job_no: int, starts: Sequence[int]) -> Any:
    """Yield start and entries of some blocks of a job, in order, one block in memory at a time."""
    for some in slices(starts):
        query = (
            select(block.c.start, block.c.is_loose, block.c.digest, BODY.label("body"))
            .where(block.c.job_no == job_no, block.c.start.in_(some))
            .order_by(block.c.start)
        )
        for start, is_loose, digest, body in connection.execute(query):
            yield start, read_block(job_id, bytes(body), bytes(digest), is_loose=is_loose)

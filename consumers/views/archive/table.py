"""The archive's table: blocks in."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from consumers.store import erasures
from consumers.store.engine import BLOB_PAGE_BYTES
from consumers.store.table import Table
from consumers.views.archive import compaction
from consumers.views.archive.block import Block, loose_blocks
from consumers.views.archive.blocks import LooseJobs, insert_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from consumers.store.engine import Database
    from consumers.store.lease import Lease
    from consumers.views.archive.fold import NewEntries


class Placed(NamedTuple):
    """What a commit adds to a job."""

    blocks: list[tuple[int, Block]]
    """With their starts."""
    erased_again: tuple[int, int] | None
    """As `NewEntries` has it."""


class BlockTable(Table):
    """Blocks of entries, exactly as they were received."""

    page_bytes: ClassVar[int] = BLOB_PAGE_BYTES
    is_in_pieces: ClassVar[bool] = True

    def open(self, connection: Connection, partition: int) -> LooseJobs:
        """Return the jobs that have small blocks."""
        return LooseJobs(connection, partition)

    def encode(self, rows: Sequence[tuple[str, NewEntries]]) -> list[tuple[str, Placed]]:
        """Make blocks of entries."""
        return [(job_id, _blocks(new)) for job_id, new in rows]

    def write(
        self, connection: Connection, lease: Lease, book: LooseJobs, rows: Mapping[int, Placed]
    ) -> None:
        """Add blocks to jobs."""
        for no, placed in rows.items():
            insert_blocks(connection, no, lease.partition, placed.blocks)
            if placed.erased_again:
                erasures.came_again(connection, no, placed.erased_again)
        book.grow(no for no, placed in rows.items() if placed.blocks)

    def compact(
        self, database: Database, lease: Lease, book: LooseJobs, *, most: int, rested_seconds: float
    ) -> int:
        """Merge small blocks of jobs."""
        return compaction.compact(database, book, lease, most=most, rested_seconds=rested_seconds)


def _blocks(new: NewEntries) -> Placed:
    blocks, start = [], new.start
    for one in loose_blocks(new.entries, new.parts):
        blocks.append((start, one))
        start += one.entries
    return Placed(blocks, new.erased_again)

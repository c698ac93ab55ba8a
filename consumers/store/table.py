"""What a view has in the database beside the documents of its jobs: the port `Table`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from consumers.store.engine import PAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import sqlalchemy
    from sqlalchemy import Column, Connection

    from consumers.folding.differing import Difference
    from consumers.folding.port import Rows
    from consumers.store.engine import Database
    from consumers.store.jobs import JobWrite
    from consumers.store.lease import Lease
    from synapse_stream.entries.position import Position


class Part(NamedTuple):
    """Rows that belong to jobs in lots, so that a job's rows change hands by few updates."""

    lots: sqlalchemy.Table
    """Has one row a lot, with its number, `no`, and that of its job, `job_no`."""
    owner: Column[Any]
    """In each row the number of its lot."""
    order: Column[Any]
    """By which the rows of a lot are in order."""
    at_once: int
    """How many of them one transaction may delete."""


class Table:
    """The table of a view that has none: others say what they have and do.

    What is kept in memory for a lease, the *book*, is made by `open` and good as long as the lease
    is held and nothing goes wrong. Where a connection is given, the transaction is the caller's.
    """

    page_bytes: ClassVar[int] = PAGE_BYTES
    """Of a new SQLite file."""
    parts: Sequence[Part] = ()
    beside: Sequence[sqlalchemy.Table] = ()
    """With rows by `job_no` that are made of those of the parts, and change hands with them."""
    is_in_pieces: ClassVar[bool] = False
    """True when `compact` has something to merge."""

    def prepare(self, database: Database) -> None:
        """Make what the table needs beside the schema of all views; for who projects the view.

        Raises:
            StoreUnavailable: that could not be, as long as something else stands in its place.
        """

    def open(self, connection: Connection, partition: int) -> Any:
        """Return a new book."""
        return None

    def encode(self, rows: Sequence[tuple[str, Any]]) -> Sequence[tuple[str, Any]]:
        """Prepare what folds gave of jobs; done before the transaction, so it locks nobody out."""
        return rows

    def write(
        self, connection: Connection, lease: Lease, book: Any, rows: Mapping[int, Any]
    ) -> None:
        """Add rows, as `encode` returned them, to jobs, which are given by their numbers."""

    def show(self, connection: Connection, jobs: Sequence[tuple[int, JobWrite]]) -> None:
        """Note what lists show of jobs, which are given with their numbers, and are live."""

    def compact(
        self, database: Database, lease: Lease, book: Any, *, most: int, rested_seconds: float
    ) -> int:
        """Merge small pieces of some jobs that have many or have rested; return how many had.

        Raises:
            LeaseLost: another has taken over; nothing was changed.
        """
        return 0

    def read(self, connection: Connection, job_no: int) -> Rows | None:
        """Return all rows of a job, as `JobView.take_rows` would return them; None for no table."""
        return None

    def fault(self, connection: Connection, job_no: int, document: bytes) -> str | None:
        """Return what of a job tells otherwise than its rows and its document do, if anything.

        That is what no fold gives: what is kept beside, so that less must be read.
        """
        return None

    def differences(
        self, database: Database, live: int | None, staged: int | None, until: Position
    ) -> Iterator[Difference | None]:
        """Compare the rows of two generations of a job, up to `until`, behind which both may grow.

        Yields the first difference of each part, None where there is none; what is done between
        two yields is quick.
        """
        yield from ()

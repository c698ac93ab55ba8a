"""Who projects which partition, and up to where: leases, their epochs, and the members.

A lease is fenced by its epoch: every take-over raises it, and what is written under an older one is
rolled back. All times are the database's, so clocks of other machines do not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, or_, select, update

from consumers.errors import LeaseLost
from consumers.store.clock import now_ms
from consumers.store.schema import checkpoint, insert_into, member

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from consumers.store.engine import Database

_FORGET_MEMBERS_MS = 3_600_000


class Lease(NamedTuple):
    """The exclusive right to project one partition for a while."""

    projection: str
    partition: int
    owner: str
    epoch: int
    position: tuple[int, int]
    """The checkpoint when the lease was acquired: id of the last feed entry that was committed."""


class Checkpoint(NamedTuple):
    """Where one partition of one projection stands."""

    projection: str
    partition: int
    position: tuple[int, int]
    owner: str | None
    """None when nobody holds its lease."""
    age_seconds: float | None
    """Since the last commit; None before the first."""


def acquire(
    database: Database, projection: str, partition: int, owner: str, seconds: float
) -> Lease | None:
    """Take the lease if it is free, lapsed or `owner`'s own; None when another holds it.

    `owner` must be a name that no other process ever has. An acquired lease has a new epoch.
    """
    doing = f"acquiring partition {partition} of {projection}"
    here = _at(projection, partition)
    is_free = or_(
        checkpoint.c.owner.is_(None),
        checkpoint.c.lease_until <= now_ms(),
        checkpoint.c.owner == owner,
    )
    with database.read(doing) as connection:
        is_held = connection.execute(select(~is_free).where(here)).scalar()
    if is_held:
        return None
    # An owner that commits just now holds the row: it is alive, so there is nothing to wait for.
    unlocked = select(checkpoint.c.partition).where(here, is_free).with_for_update(skip_locked=True)
    take = (
        update(checkpoint)
        .where(checkpoint.c.projection == projection, checkpoint.c.partition.in_(unlocked))
        .values(owner=owner, epoch=checkpoint.c.epoch + 1, lease_until=now_ms() + _ms(seconds))
        .returning(checkpoint.c.epoch, checkpoint.c.ms, checkpoint.c.seq)
    )
    with database.write(doing) as connection:
        if is_held is None:
            first = insert_into(connection, checkpoint).values(
                projection=projection, partition=partition, epoch=0, ms=0, seq=0, lease_until=0
            )
            connection.execute(first.on_conflict_do_nothing())
        taken = connection.execute(take).first()
    return taken and Lease(projection, partition, owner, taken.epoch, (taken.ms, taken.seq))


def renew(database: Database, lease: Lease, seconds: float) -> bool:
    """Extend the lease; False when another has taken over."""
    longer = update(checkpoint).where(_held(lease)).values(lease_until=now_ms() + _ms(seconds))
    with database.write(f"renewing {describe(lease)}") as connection:
        return connection.execute(longer).rowcount == 1


def release(database: Database, lease: Lease) -> None:
    """Give the lease back at once; nothing happens when another has taken over."""
    free = update(checkpoint).where(_held(lease)).values(owner=None, lease_until=0)
    with database.write(f"releasing {describe(lease)}") as connection:
        connection.execute(free)


def advance(
    connection: Connection, lease: Lease, position: tuple[int, int], seconds: float
) -> None:
    """Move the checkpoint and extend the lease, before anything else in the transaction.

    Nobody can take over until the transaction ends.

    Raises:
        LeaseLost: another has taken over.
    """
    ms, seq = position
    move = (
        update(checkpoint)
        .where(_held(lease))
        .values(ms=ms, seq=seq, committed=now_ms(), lease_until=now_ms() + _ms(seconds))
    )
    _require(connection, lease, move)


def fence(connection: Connection, lease: Lease) -> None:
    """Hold the lease until the transaction ends, without moving the checkpoint.

    Raises:
        LeaseLost: another has taken over.
    """
    _require(connection, lease, update(checkpoint).where(_held(lease)).values(epoch=lease.epoch))


def checkpoints(database: Database, projection: str) -> list[Checkpoint]:
    """Return where the partitions of a projection stand, by number."""
    table = checkpoint.c
    is_lapsed = table.lease_until <= now_ms()
    query = (
        select(table.partition, table.ms, table.seq, table.owner, is_lapsed.label("is_lapsed"))
        .add_columns((now_ms() - table.committed).label("age"))
        .where(table.projection == projection)
        .order_by(table.partition)
    )
    with database.read(f"reading the checkpoints of {projection}") as connection:
        return [
            Checkpoint(
                projection,
                row.partition,
                (row.ms, row.seq),
                None if row.is_lapsed else row.owner,
                None if row.age is None else max(0, row.age) / 1000,
            )
            for row in connection.execute(query)
        ]


def join(database: Database, projection: str, name: str, seconds: float) -> list[str]:
    """Count `name` among the members for so long; return all that are alive, in order."""
    until = now_ms() + _ms(seconds)
    with database.write(f"joining the members of {projection}") as connection:
        entry = insert_into(connection, member).values(
            projection=projection, name=name, alive_until=until
        )
        key = [member.c.projection, member.c.name]
        connection.execute(entry.on_conflict_do_update(key, set_={"alive_until": until}))
        long_ago = member.c.alive_until < now_ms() - _FORGET_MEMBERS_MS
        connection.execute(delete(member).where(long_ago))
        alive = (
            select(member.c.name)
            .where(member.c.projection == projection, member.c.alive_until > now_ms())
            .order_by(member.c.name)
        )
        return list(connection.execute(alive).scalars())


def leave(database: Database, projection: str, name: str) -> None:
    """Count `name` among the members no more."""
    gone = delete(member).where(member.c.projection == projection, member.c.name == name)
    with database.write(f"leaving the members of {projection}") as connection:
        connection.execute(gone)


def describe(lease: Lease) -> str:
    """Name the lease in messages."""
    return f"partition {lease.partition} of {lease.projection}"


def _require(connection: Connection, lease: Lease, change: object) -> None:
    if connection.execute(change).rowcount != 1:  # type: ignore[call-overload]
        msg = (
            f"{lease.owner} has lost {describe(lease)}: another consumer has taken over since "
            f"epoch {lease.epoch}; nothing was written"
        )
        raise LeaseLost(msg)


def _at(projection: str, partition: int) -> ColumnElement[bool]:
    return (checkpoint.c.projection == projection) & (checkpoint.c.partition == partition)


def _held(lease: Lease) -> ColumnElement[bool]:
    return _at(lease.projection, lease.partition) & (checkpoint.c.epoch == lease.epoch)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)

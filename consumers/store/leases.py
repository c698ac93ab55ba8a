"""Who projects which partition, and up to where: leases, their epochs, and the members.

A lease is fenced by its epoch: every take-over raises it, and what is written under an older one is
rolled back. All times are the database's, so clocks of other machines do not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, delete, or_, select, tuple_, update

from consumers.errors import LeaseLost
from consumers.store.lease import Lease, describe
from consumers.store.schema import checkpoint, member
from consumers.store.sql import insert_into, now_ms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Update

    from consumers.store.databases import Databases

_FORGET_MEMBERS_MS = 3_600_000
_UNTOUCHED = {"epoch": 0, "lease_until": 0, "ms": 0, "seq": 0, "commits": 0}


class Checkpoint(NamedTuple):
    """Where one partition of one projection stands."""

    projection: str
    partition: int
    position: tuple[int, int]
    owner: str | None
    """None when nobody holds its lease."""
    age_seconds: float | None
    """Since the last commit; None before the first."""
    commits: int
    """How many there were."""


# Made once: building a statement costs more than executing it. Their parameters are named so that
# none is taken for a column's new value.
_here = (checkpoint.c.projection == bindparam("of")) & (checkpoint.c.partition == bindparam("at"))
# An older copy of the database that was put back gives the same epochs again, to another owner.
_held = (
    _here & (checkpoint.c.epoch == bindparam("mine")) & (checkpoint.c.owner == bindparam("holder"))
)
_lease_end = now_ms() + bindparam("duration")
_is_free = or_(
    checkpoint.c.owner.is_(None),
    checkpoint.c.lease_until <= now_ms(),
    checkpoint.c.owner == bindparam("candidate"),
)
# An owner that commits just now holds the row: it is alive, so there is nothing to wait for.
_unlocked = select(checkpoint.c.partition).where(_here, _is_free).with_for_update(skip_locked=True)
_TAKE = (
    update(checkpoint)
    .where(_here, checkpoint.c.partition.in_(_unlocked))
    .values(owner=bindparam("candidate"), epoch=checkpoint.c.epoch + 1, lease_until=_lease_end)
    .returning(checkpoint.c.epoch, checkpoint.c.ms, checkpoint.c.seq)
)
_IS_HELD = select(~_is_free).where(_here)
_RENEW = update(checkpoint).where(_held).values(lease_until=_lease_end)
_RELEASE = update(checkpoint).where(_held).values(owner=None, lease_until=0)
_FENCE = update(checkpoint).where(_held).values(epoch=checkpoint.c.epoch)
_ADVANCE = (
    update(checkpoint)
    .where(_held)
    .values(
        ms=bindparam("to_ms"),
        seq=bindparam("to_seq"),
        committed=now_ms(),
        commits=checkpoint.c.commits + 1,
        lease_until=_lease_end,
    )
)


class Leases:
    """Who projects what, and how far that is. Each method is one transaction of its own.

    Every method raises StoreUnavailable when the database did not take or answer a statement. They
    may be called from several threads.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    def acquire(self, projection: str, partition: int, owner: str, seconds: float) -> Lease | None:
        """Take the lease if it is free, lapsed or `owner`'s own; None when another holds it.

        `owner` must be a name that no other process ever has. An acquired lease has a new epoch:
        whoever held it before can write nothing any more.
        """
        database = self._databases.of(projection)
        doing = f"acquiring partition {partition} of {projection}"
        of = {"of": projection, "at": partition, "candidate": owner}
        with database.read(doing) as connection:
            is_held = connection.execute(_IS_HELD, of).scalar()
        if is_held:
            return None
        with database.write(doing) as connection:
            if is_held is None:
                _add(connection, projection, partition)
            taken = connection.execute(_TAKE, {**of, "duration": _ms(seconds)}).first()
        if taken is None:
            return None
        return Lease(projection, partition, owner, taken.epoch, (taken.ms, taken.seq))

    def renew(self, lease: Lease, seconds: float) -> bool:
        """Extend the lease; False when another has taken over."""
        with self._writing(lease.projection, f"renewing {describe(lease)}") as connection:
            return _change(connection, _RENEW, lease, duration=_ms(seconds))

    def release(self, lease: Lease) -> None:
        """Give the lease back at once; nothing happens when another has taken over."""
        with self._writing(lease.projection, f"releasing {describe(lease)}") as connection:
            _change(connection, _RELEASE, lease)

    def join(self, projection: str, name: str, seconds: float) -> list[str]:
        """Count `name` among the members for so long; return all that are alive, in order."""
        until = now_ms() + _ms(seconds)
        with self._writing(projection, f"joining the members of {projection}") as connection:
            entry = insert_into(connection, member).values(
                projection=projection, name=name, alive_until=until
            )
            key = member.primary_key
            connection.execute(entry.on_conflict_do_update(key, set_={"alive_until": until}))
            long_ago = member.c.alive_until < now_ms() - _FORGET_MEMBERS_MS
            connection.execute(delete(member).where(long_ago))
            alive = (
                select(member.c.name)
                .where(member.c.projection == projection, member.c.alive_until > now_ms())
                .order_by(member.c.name)
            )
            return list(connection.execute(alive).scalars())

    def leave(self, projection: str, name: str) -> None:
        """Count `name` among the members no more."""
        gone = delete(member).where(member.c.projection == projection, member.c.name == name)
        with self._writing(projection, f"leaving the members of {projection}") as connection:
            connection.execute(gone)

    def checkpoints(self, projection: str) -> list[Checkpoint]:
        """Return where the partitions of a projection stand, by number; of none if it never ran."""
        table = checkpoint.c
        is_lapsed = table.lease_until <= now_ms()
        query = (
            select(checkpoint, is_lapsed.label("is_lapsed"))
            .add_columns((now_ms() - table.committed).label("age"))
            .where(table.projection == projection)
            .order_by(table.partition)
        )
        doing = f"reading the checkpoints of {projection}"
        with self._databases.reading(projection, doing) as connection:
            return [
                Checkpoint(
                    projection,
                    row.partition,
                    (row.ms, row.seq),
                    None if row.is_lapsed else row.owner,
                    None if row.age is None else max(0, row.age) / 1000,
                    row.commits,
                )
                for row in connection.execute(query)
            ]

    def durable_positions(
        self, projections: Sequence[str]
    ) -> dict[str, dict[int, tuple[int, int]]]:
        """Return the checkpoints by projection and partition, after they outlive a power cut.

        What was committed before they were is as safe. A projection that never ran has none.
        """
        founded = [name for name in projections if self._databases.is_founded(name)]
        found: dict[str, dict[int, tuple[int, int]]] = {name: {} for name in projections}
        for name in founded:
            found[name] = {c.partition: c.position for c in self.checkpoints(name)}
        for database in self._databases.all_of(founded):
            database.make_durable()
        return found

    def skip_trimmed(self, projection: str, trimmed: Mapping[int, tuple[int, int]]) -> None:
        """Have a projection read on behind what was trimmed, after its jobs were asked for anew.

        `trimmed` has by partition up to where its feed was; a checkpoint behind that stays.
        """
        with self._writing(projection, f"moving the checkpoints of {projection}") as connection:
            for partition, (ms, seq) in trimmed.items():
                _add(connection, projection, partition)
                is_before = tuple_(checkpoint.c.ms, checkpoint.c.seq) < tuple_(ms, seq)
                connection.execute(
                    update(checkpoint).where(_here & is_before).values(ms=ms, seq=seq),
                    {"of": projection, "at": partition},
                )

    def _writing(self, projection: str, doing: str) -> AbstractContextManager[Connection]:
        return self._databases.of(projection).write(doing)


def advance(
    connection: Connection, lease: Lease, position: tuple[int, int], seconds: float
) -> None:
    """Move the checkpoint and extend the lease, before anything else in the transaction.

    Nobody can take over until the transaction ends.

    Raises:
        LeaseLost: another has taken over.
    """
    ms, seq = position
    if not _change(connection, _ADVANCE, lease, to_ms=ms, to_seq=seq, duration=_ms(seconds)):
        raise _lost(lease)


def fence(connection: Connection, lease: Lease) -> None:
    """Hold the lease until the transaction ends, without moving the checkpoint.

    Raises:
        LeaseLost: another has taken over.
    """
    if not _change(connection, _FENCE, lease):
        raise _lost(lease)


def _add(connection: Connection, projection: str, partition: int) -> None:
    first = insert_into(connection, checkpoint).values(
        projection=projection, partition=partition, **_UNTOUCHED
    )
    connection.execute(first.on_conflict_do_nothing())


def _change(connection: Connection, statement: Update, lease: Lease, **values: int) -> bool:
    of = {"of": lease.projection, "at": lease.partition, "mine": lease.epoch, "holder": lease.owner}
    return connection.execute(statement, {**of, **values}).rowcount == 1


def _lost(lease: Lease) -> LeaseLost:
    return LeaseLost(
        f"{lease.owner} has lost {describe(lease)}: another consumer has taken over since "
        f"epoch {lease.epoch}; nothing was written"
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)

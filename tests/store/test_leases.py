"""One owner a partition, and nobody writes under an old lease."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from consumers.errors import LeaseLost
from consumers.store.jobs import JobWrite
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumers.store.lease import Lease
    from consumers.store.store import Store

NEVER = 3600.0
AT_ONCE = 0.0


def acquired(store: Store, owner: str, seconds: float = NEVER, partition: int = 3) -> Lease:
    lease = store.leases.acquire("run-state", partition, owner, seconds)
    assert lease is not None
    return lease


def test_a_new_partition_begins_at_the_beginning(store: Store) -> None:
    lease = acquired(store, "a")

    assert (lease.projection, lease.partition, lease.position) == ("run-state", 3, (0, 0))


def test_a_held_lease_is_not_given_to_another(store: Store, new_store: Callable[[], Store]) -> None:
    acquired(store, "a")

    assert new_store().leases.acquire("run-state", 3, "b", NEVER) is None
    assert new_store().leases.acquire("run-state", 4, "b", NEVER) is not None
    assert new_store().leases.acquire("message-feed", 3, "b", NEVER) is not None


def test_a_lapsed_lease_is_taken_over_with_a_higher_epoch(store: Store) -> None:
    first = acquired(store, "a", AT_ONCE)
    second = acquired(store, "b")

    assert second.epoch > first.epoch
    assert not store.leases.renew(first, NEVER)
    assert store.leases.renew(second, NEVER)


def test_its_own_owner_may_acquire_a_lease_again_and_the_older_one_is_void(store: Store) -> None:
    first = acquired(store, "a")
    second = acquired(store, "a")

    assert not store.leases.renew(first, NEVER)
    assert store.leases.renew(second, NEVER)


def test_a_released_lease_is_free_at_once_and_keeps_its_position(store: Store) -> None:
    lease = acquired(store, "a")
    store.commit(lease, (7, 2), [], [], NEVER)
    store.leases.release(lease)

    assert acquired(store, "b").position == (7, 2)


def test_releasing_a_lost_lease_does_not_free_it(store: Store) -> None:
    old = acquired(store, "a", AT_ONCE)
    acquired(store, "b")
    store.leases.release(old)

    assert store.leases.acquire("run-state", 3, "c", NEVER) is None


def test_renewing_and_committing_extend_the_lease(store: Store) -> None:
    lease = acquired(store, "a", AT_ONCE)
    assert store.leases.renew(lease, NEVER)
    assert store.leases.acquire("run-state", 3, "b", NEVER) is None
    assert store.leases.renew(lease, AT_ONCE)
    store.commit(lease, (1, 0), [], [], NEVER)

    assert store.leases.acquire("run-state", 3, "b", NEVER) is None


def test_a_stalled_owner_writes_nothing(store: Store) -> None:
    stalled = acquired(store, "a", AT_ONCE)
    owner = acquired(store, "b")
    store.commit(owner, (5, 0), [], [], NEVER)

    with pytest.raises(LeaseLost, match="partition 3 of run-state"):
        store.commit(stalled, (9, 0), [JobWrite("job", b"{}", None, (9, 0))], [], NEVER)

    assert store.jobs.load("run-state", ["job"]) == {}
    (checkpoint,) = store.leases.checkpoints("run-state")
    assert (checkpoint.position, checkpoint.owner, checkpoint.commits) == ((5, 0), "b", 1)


def test_of_many_that_race_for_a_lease_exactly_one_wins(new_store: Callable[[], Store]) -> None:
    stores = [new_store() for _ in range(6)]
    for store in stores:
        store.leases.checkpoints("run-state")
    won: list[Lease] = []
    barrier = threading.Barrier(len(stores))

    def race(store: Store, owner: str, partition: int) -> None:
        barrier.wait()
        lease = store.leases.acquire("run-state", partition, owner, NEVER)
        if lease is not None:
            won.append(lease)

    for partition in range(10):
        threads = [
            threading.Thread(target=race, args=(store, f"owner {n}", partition))
            for n, store in enumerate(stores)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(lease.partition for lease in won) == list(range(10))


def test_a_lease_lapses_by_the_database_clock(store: Store) -> None:
    begin = time.monotonic()
    acquired(store, "a", 0.3)

    taken = wait_until(lambda: store.leases.acquire("run-state", 3, "b", NEVER))

    assert taken.owner == "b"
    assert time.monotonic() - begin > 0.29  # the database counts whole milliseconds


def test_checkpoints_show_position_owner_and_age(store: Store) -> None:
    assert store.leases.checkpoints("run-state") == []
    lapsed, held = acquired(store, "a", AT_ONCE, 2), acquired(store, "b", NEVER, 1)
    for position in ((5, 0), (8, 1)):
        store.commit(held, position, [], [], NEVER)

    one, two = store.leases.checkpoints("run-state")

    assert (one.partition, one.position, one.owner, one.commits) == (1, (8, 1), "b", 2)
    assert one.age_seconds is not None
    assert 0 <= one.age_seconds < 60
    assert (two.partition, two.position, two.owner, two.age_seconds) == (
        2,
        lapsed.position,
        None,
        None,
    )


def test_members_are_those_that_joined_and_are_alive(store: Store) -> None:
    assert store.leases.join("run-state", "b", NEVER) == ["b"]
    assert store.leases.join("run-state", "a", NEVER) == ["a", "b"]
    assert store.leases.join("message-feed", "c", NEVER) == ["c"]
    assert store.leases.join("run-state", "b", AT_ONCE) == ["a"]
    assert store.leases.join("run-state", "b", NEVER) == ["a", "b"]
    store.leases.leave("run-state", "a")
    store.leases.leave("run-state", "a")

    assert store.leases.join("run-state", "b", NEVER) == ["b"]

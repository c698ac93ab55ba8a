"""Parked events: kept with their reason, shown, retried, dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumers.folding.port import Parked
from consumers.store.parked import Retried
from synapse_stream.entries.position import Position
from tests.store.jobs import SECONDS

if TYPE_CHECKING:
    from consumers.store.lease import Lease
    from consumers.store.store import Store

PROJECTION = "run-state"


def bad(number: int, job_id: str = "job") -> Parked:
    return Parked(job_id, Position(5, 1, number), f"reason {number}", b"\x00{\xff", "p", number)


@pytest.fixture
def lease(store: Store) -> Lease:
    """Park events 0, 1 and 2 of the job "job" and 3 of "other", in partition 4."""
    taken = store.leases.acquire(PROJECTION, 4, "a", SECONDS)
    assert taken is not None
    store.commit(taken, (5, 1), [], [bad(0), bad(1), bad(2), bad(3, "other")], SECONDS)
    return taken


def test_a_parked_event_is_kept_as_it_came(store: Store, lease: Lease) -> None:
    first = store.parked.list(PROJECTION)[0]

    assert store.parked.find(PROJECTION, first.no) == first
    assert (first.projection, first.partition, first.job_id) == (PROJECTION, 4, "job")
    assert (first.position, first.producer, first.number) == (Position(5, 1, 0), "p", 0)
    assert (first.reason, first.raw) == ("reason 0", b"\x00{\xff")
    assert (first.attempts, first.is_marked) == (1, False)
    assert first.parked_ms > 1_700_000_000_000


def test_a_whole_entry_is_parked_without_producer_and_number(store: Store, lease: Lease) -> None:
    store.commit(lease, (6, 0), [], [Parked("j\0b", Position(6, 0), "\0", b"", None, None)], 1)

    entry = store.parked.list(PROJECTION)[-1]

    assert (entry.producer, entry.number, entry.raw) == (None, None, b"")
    assert (entry.job_id, entry.reason) == ("j\u2400b", "\u2400")


def test_what_is_parked_already_is_not_parked_again(store: Store, lease: Lease) -> None:
    entry = Parked("job", Position(6, 0), "no batch", b"raw", None, None)
    others = [entry._replace(raw=b"other"), entry._replace(job_id="other"), bad(4)]
    store.commit(lease, (6, 0), [], [entry], SECONDS)
    before = store.parked.list(PROJECTION)

    store.commit(lease, (6, 0), [], [entry, bad(0), *others], SECONDS)

    after = store.parked.list(PROJECTION)
    assert after[: len(before)] == before
    added = [(event.job_id, event.raw, event.number) for event in after[len(before) :]]
    assert added == [(event.job_id, event.raw, event.number) for event in others]


def test_they_are_listed_by_job_and_partition_and_paged(store: Store, lease: Lease) -> None:
    everything = store.parked.list(PROJECTION)

    assert [event.number for event in everything] == [0, 1, 2, 3]
    assert store.parked.list(PROJECTION, job_id="other") == everything[3:]
    assert store.parked.list(PROJECTION, partition=4, limit=2) == everything[:2]
    assert store.parked.list(PROJECTION, after=everything[1].no) == everything[2:]
    assert store.parked.list(PROJECTION, partition=5) == []
    assert store.parked.list("message-feed") == []
    assert store.parked.find("message-feed", everything[0].no) is None


def test_dropping_forgets_those_named_and_says_how_many(store: Store, lease: Lease) -> None:
    first, second, *_ = store.parked.list(PROJECTION)

    assert store.parked.drop(PROJECTION, [first.no, second.no, 10**6]) == 2
    assert store.parked.drop(PROJECTION, [first.no]) == 0
    assert [event.number for event in store.parked.list(PROJECTION)] == [2, 3]


def test_a_retry_either_takes_the_event_away_or_counts_the_attempt(
    store: Store, lease: Lease
) -> None:
    one, two, *_ = store.parked.list(PROJECTION)
    assert store.parked.retry(PROJECTION, [one.no, two.no]) == 2
    marked = store.parked.list(PROJECTION, only_marked=True)
    assert [event.no for event in marked] == [one.no, two.no]

    outcomes = [Retried(one.no, None), Retried(two.no, "still no good")]
    store.commit(lease, (7, 0), [], [], SECONDS, retried=outcomes)

    assert store.parked.find(PROJECTION, one.no) is None
    again = store.parked.find(PROJECTION, two.no)
    assert again is not None
    assert (again.attempts, again.reason, again.is_marked) == (2, "still no good", False)
    assert store.parked.list(PROJECTION, only_marked=True) == []

"""A commit is all or nothing, and documents come back as they were written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from consumers.errors import StoreUnavailable
from consumers.folding.port import Parked
from consumers.store.jobs import JobWrite
from synapse_stream.entries.position import Position
from tests.store.jobs import (
    FIRST_MS,
    MESSAGES,
    METRICS,
    RUN_STATE,
    SECONDS,
    Committer,
    message,
    metrics,
    started,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from consumers.store.store import Store
    from consumers.views.reader import StoredViews


def poison(job_id: str) -> Parked:
    """Return what no database takes, to make the last statement of a commit fail."""
    number: Any = {"no": "number"}
    return Parked(job_id, Position(1, 1), "reason", b"raw", "producer", number)


def test_documents_come_back_and_unknown_jobs_have_none(store: Store) -> None:
    lease = store.leases.acquire("run-state", 0, "a", SECONDS)
    assert lease is not None
    documents = {f"job {n}": b'{"v":1,"view":{"attempts":{}}}' + b" " * n for n in range(2500)}
    writes = [JobWrite(job_id, text, None, (1, 0)) for job_id, text in documents.items()]
    store.commit(lease, (1, 0), writes, [], SECONDS)

    assert store.jobs.load("run-state", [*documents, "unknown"]) == documents
    assert store.jobs.load("message-feed", list(documents)) == {}
    assert store.jobs.load("run-state", []) == {}


def test_a_later_document_replaces_the_earlier(store: Store) -> None:
    committer = Committer(store, RUN_STATE)
    committer.commit({"job": [started()]})
    committer.commit({"job": [started()], "other": [started()]})

    found = store.jobs.load("run-state", ["job"])

    assert found == {"job": committer.folds["job"].document()}


@pytest.mark.parametrize("view", [RUN_STATE, METRICS, MESSAGES], ids=lambda view: view.name)
def test_a_commit_that_fails_at_its_end_leaves_nothing(
    store: Store, views: StoredViews, view: Any
) -> None:
    committer = Committer(store, view)
    committer.commit({"job": [started("before"), message("before"), metrics(loss=1)]})
    before = store.jobs.load(view.name, ["job"])
    writes, _ = committer.fold(
        {
            "job": [started("after"), message("after"), metrics(loss=2), metrics(new=2)],
            "new": [started("after"), message("after"), metrics(loss=2)],
        }
    )

    with pytest.raises(StoreUnavailable):
        store.commit(committer.lease, (FIRST_MS * 2, 0), writes, [poison("job")], SECONDS)

    assert store.jobs.load(view.name, ["job", "new"]) == before
    assert store.leases.checkpoints(view.name)[0].position == (FIRST_MS + 1, 0)
    assert store.parked.list(view.name) == []
    assert [state.job_id for state in views.jobs()] == (["job"] if view is RUN_STATE else [])
    assert [(s.key.name, s.count) for s in views.series("job")] == (
        [("loss", 1)] if view is METRICS else []
    )
    assert [line.content for line in views.messages("job").messages] == (
        ["before"] if view is MESSAGES else []
    )


def test_series_of_a_rolled_back_commit_are_made_again(store: Store, views: StoredViews) -> None:
    committer = Committer(store, METRICS)
    committer.commit({"job": [metrics(loss=0)]})
    writes, _ = committer.fold({"job": [metrics(loss=1, late=1)], "new": [metrics(late=1)]})
    with pytest.raises(StoreUnavailable):
        store.commit(committer.lease, (FIRST_MS + 9, 0), writes, [poison("job")], SECONDS)
    store.commit(committer.lease, (FIRST_MS + 9, 0), writes, [], SECONDS)

    counted = {job: [(s.key.name, s.count) for s in views.series(job)] for job in ("job", "new")}

    assert counted == {"job": [("late", 1), ("loss", 2)], "new": [("late", 1)]}


def test_a_failed_commit_says_what_where_and_why_but_not_what_was_written(store: Store) -> None:
    committer = Committer(store, MESSAGES, partition=5)
    writes, _ = committer.fold({"job": [message("a secret")]})

    with pytest.raises(StoreUnavailable) as caught:
        store.commit(committer.lease, (1, 0), writes, [poison("job")], SECONDS)

    assert re.search(r"while committing partition 5 of message-feed", str(caught.value))
    assert "secret" not in str(caught.value)


def test_another_process_goes_on_where_the_first_stopped(
    store: Store, new_store: Callable[[], Store], views: StoredViews
) -> None:
    first = Committer(store, METRICS)
    first.commit({"job": [metrics(loss=1), metrics("eval", loss=2)]})
    store.leases.release(first.lease)
    second = Committer(new_store(), METRICS, "second")
    second.numbers["job"] = 2
    second.commit({"job": [metrics(loss=3), metrics("eval", new=4)]})

    summary = [(s.key.step, s.key.name, s.count, s.last) for s in views.series("job")]

    assert second.lease.position == (FIRST_MS + 1, 0)
    assert summary == [(None, "loss", 2, 3.0), ("eval", "loss", 1, 2.0), ("eval", "new", 1, 4.0)]


def test_an_owner_that_comes_back_knows_what_was_made_in_between(
    store: Store, new_store: Callable[[], Store], views: StoredViews
) -> None:
    first = Committer(store, METRICS, "first")
    first.commit({"job": [metrics(loss=1)]})
    store.leases.release(first.lease)
    second = Committer(new_store(), METRICS, "second")
    second.numbers["job"] = 1
    second.commit({"job": [metrics(new=2)]})
    second.store.leases.release(second.lease)
    again = Committer(store, METRICS, "first")
    again.numbers["job"] = 2
    again.commit({"job": [metrics(new=3)]})

    assert [(s.key.name, s.count) for s in views.series("job")] == [("loss", 1), ("new", 2)]

"""What people say of runs is found, keeps through commits, and changes nothing that is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from consumers.store import jobs
from synapse_stream.ports.annotations import NOTHING, Annotation, Change
from synapse_stream.ports.filters.search import Wanted
from tests.store.jobs import RUN_STATE, Committer, ended

if TYPE_CHECKING:
    from consumers.store.store import Store
    from consumers.views.reader import StoredViews

BEGIN = {"type": "run_started", "rank": 0, "labels": {"team": "a", "old": "x"}}


def found(views: StoredViews, text: str) -> list[str]:
    return [hit.state.job_id for hit in views.find(Wanted.of(text, None, now_us=0)).found]


def values(views: StoredViews, columns: str) -> list[Any]:
    (hit,) = views.find(Wanted.of("job = a", None, columns, now_us=0)).found
    return list(hit.values.values())[:-1]


@pytest.fixture
def committer(store: Store) -> Committer:
    made = Committer(store, RUN_STATE)
    made.commit({"a": [BEGIN], "b": [BEGIN]})
    return made


@pytest.mark.usefixtures("committer")
def test_a_run_is_found_by_what_is_said_of_it(views: StoredViews) -> None:
    change = Change({"team": "b", "old": None, "new": "1"}, note="worth a look", baseline=True)

    said = views.annotate("a", change)

    assert (
        said
        == views.annotation("a")
        == Annotation(change.labels or {}, "worth a look", False, True)
    )
    assert found(views, "labels.team = b AND labels.new = 1") == ["a"]
    assert found(views, "labels.old = x") == ["b"]
    assert found(views, "note LIKE '%look' AND baseline = true") == ["a"]
    told = values(views, "labels.team,labels.old,note,baseline")
    assert told == ["b", None, "worth a look", True]
    state = views.state("a")
    assert state is not None
    assert state.latest.labels == {"team": "a", "old": "x"}
    assert views.annotation("b") == NOTHING


def test_it_stays_when_the_run_goes_on_or_begins_anew(
    committer: Committer, views: StoredViews, store: Store
) -> None:
    views.annotate("a", Change({"team": "b"}, note="n"))
    committer.commit({"a": [ended("completed")]})
    committer.commit({"a": [{**BEGIN, "labels": {"team": "c", "other": "d"}}]})

    assert values(views, "labels.team,labels.other,note") == ["b", "d", "n"]
    document = store.jobs.load(RUN_STATE.name, ["a"])["a"]
    with store.databases.of(RUN_STATE.name).read("test") as connection:
        no = jobs.number(connection, RUN_STATE.name, "a")
        assert no is not None
        assert store.databases.table(RUN_STATE.name).fault(connection, no, document) is None


@pytest.mark.usefixtures("committer")
def test_lists_leave_out_what_is_archived_until_it_is_no_more(views: StoredViews) -> None:
    views.annotate("a", Change(archived=True))

    assert [state.job_id for state in views.jobs()] == found(views, "events > 0") == ["b"]
    assert found(views, "archived = true") == ["a"]
    assert views.state("a") is not None

    views.annotate("a", Change(archived=False, note=""))
    assert [state.job_id for state in views.jobs()] == found(views, "events > 0") == ["b", "a"]


def test_nothing_is_said_of_a_run_that_is_not_known(views: StoredViews) -> None:
    assert views.annotate("nobody", Change(note="x")) is None
    assert views.annotation("nobody") == NOTHING

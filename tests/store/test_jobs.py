"""Run states: listed by age, filtered, paged."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest

from consumers.folding.port import Parked
from consumers.views.reader import StoredViews
from synapse_stream.entries.position import Position
from synapse_stream.models import RunStatus
from synapse_stream.ports.views import Beside
from tests.store.jobs import (
    FIRST_MS,
    MESSAGES,
    METRICS,
    RUN_STATE,
    SECONDS,
    Committer,
    ended,
    message,
    metrics,
    started,
)

if TYPE_CHECKING:
    from typing import Any

    from consumers.store.store import Store


@pytest.fixture
def committer(store: Store) -> Committer:
    """Commit 30 jobs: every third has ended, odd ones export, the others train."""
    made = Committer(store, RUN_STATE)
    for n in range(30):
        made.commit({f"job-{n:02}": [started("export" if n % 2 else "train")]})
    made.commit({f"job-{n:02}": [ended("completed")] for n in range(0, 30, 3)})
    return made


def listed(views: StoredViews, **filters: Any) -> list[str]:
    return [state.job_id for state in views.jobs(limit=1000, **filters)]


PATTERNS = [
    "team-a-*", "*", "?", "*a", "team_a*", "100%*", "rx[a-c]m*", "rx[!a]m*", "[[]x", "[]x]*", "[!]",
    "[", "a\\b", "a\\*", "*[*]*", "ü*", "TEAM*", "job\n*", "team-a-?", "\U0010ffff*", "", "[!x",
]  # fmt: skip
NAMES = [
    "team-a-1", "team-a-22", "team-b-1", "team_a", "teamXa", "100%x", "100x", "a", "rxbm", "[x",
    "]x", "[!]", "[", "a\\b", "a\\c", "x*y", "ünder", "TEAM-A", "job\nx", "\U0010ffffx", "[!x",
    "rxqm",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_chooses_as_that_of_a_token_does(
    store: Store, views: StoredViews, pattern: str
) -> None:
    Committer(store, RUN_STATE).commit({name: [started()] for name in NAMES})
    expected = {name for name in NAMES if fnmatchcase(name, pattern)}

    found = set(listed(views, pattern=pattern))

    assert found >= expected
    if "[" not in pattern or store.databases.of(RUN_STATE.name).is_sqlite:
        assert found == expected


def newest_first(numbers: Any) -> list[str]:
    return [f"job-{n:02}" for n in sorted(numbers, reverse=True)]


def test_jobs_are_listed_newest_first(committer: Committer, views: StoredViews) -> None:
    assert listed(views) == newest_first(range(30))


def test_filters_choose_by_status_action_and_text(committer: Committer, views: StoredViews) -> None:
    over, odd = set(range(0, 30, 3)), set(range(1, 30, 2))

    assert listed(views, status=RunStatus.COMPLETED) == newest_first(over)
    assert listed(views, status=RunStatus.FAILED) == []
    assert listed(views, action="export") == newest_first(odd)
    assert listed(views, action="exp") == []
    assert listed(views, text="JOB-1") == newest_first(range(10, 20))
    assert listed(views, text="xpor") == newest_first(odd)
    assert listed(views, text="_") == []
    assert listed(views, status=RunStatus.RUNNING, action="train", text="2") == newest_first(
        n for n in {2, 12, *range(20, 30)} - over - odd
    )


@pytest.mark.parametrize("limit", [1, 7, 30, 31])
def test_paging_meets_every_job_once_though_others_come_and_change(
    committer: Committer, views: StoredViews, limit: int
) -> None:
    met: list[str] = []
    after = None
    while page := views.jobs(after=after, limit=limit):
        met += [state.job_id for state in page]
        after = met[-1]
        committer.commit({f"new {len(met)}": [started()], after: [ended("failed")]})

    assert met == newest_first(range(30))


def test_paging_behind_an_unknown_job_is_refused_by_name(
    committer: Committer, views: StoredViews
) -> None:
    with pytest.raises(ValueError, match="after='job-99'"):
        views.jobs(after="job-99")


def test_a_state_has_what_was_folded(committer: Committer, views: StoredViews) -> None:
    state = views.state("job-03")

    assert state is not None
    assert (state.status, state.latest.action) == (RunStatus.COMPLETED, "export")
    assert views.jobs(text="job-03") == [state]
    assert views.state("job-99") is None


def test_what_other_views_know_of_many_jobs_comes_at_once(
    committer: Committer, views: StoredViews, store: Store
) -> None:
    bad = Parked("job-07", Position(1, 0), "why", b"", None, None)
    store.commit(committer.lease, (1, 1), [], [bad], SECONDS)
    asked = ["job-07", "job-99", *(f"no-{n}" for n in range(2_000)), "job-03"]

    found = views.beside(asked)

    assert list(found) == asked
    assert {job_id: beside for job_id, beside in found.items() if beside != Beside()} == {
        "job-07": Beside(parked=1)
    }
    assert [state.parked for job in ("job-07", "job-03") if (state := views.state(job))] == [1, 0]
    assert views.beside([]) == {}


@pytest.mark.parametrize("view", [RUN_STATE, MESSAGES, METRICS])
def test_every_view_tells_how_far_it_has_come_with_a_job(
    store: Store, views: StoredViews, view: Any
) -> None:
    committer = Committer(store, view)
    assert views.position(view.name, "job") is None

    committer.commit({"job": [started(), message("a")], "other": [started()]})
    committer.commit({"other": [message("b")]})

    assert views.position(view.name, "job") == Position(FIRST_MS + 1, 0, 1)
    assert views.position(view.name, "other") == Position(FIRST_MS + 3, 0, 0)


def test_what_producers_gave_up_is_counted_over_all_jobs(store: Store) -> None:
    def gave_up(**counts: int) -> dict[str, Any]:
        return {"type": "loss", "counts": counts}

    assert StoredViews(store.databases).count_shed() == 0
    committer = Committer(store, RUN_STATE)
    committer.commit({"a": [started(), gave_up(metrics=5)], "b": [started()]})
    committer.commit({"a": [gave_up(metrics=2, log=1)], "b": [gave_up(progress=10)]})

    assert StoredViews(store.databases).count_shed() == 18


def test_a_job_keeps_its_place_when_it_runs_again(committer: Committer, views: StoredViews) -> None:
    committer.commit({"job-00": [started("again") | {"attempt": 2}]})

    assert listed(views)[-1] == "job-00"
    assert listed(views, action="again") == ["job-00"]
    assert listed(views, status=RunStatus.RUNNING)[-1] == "job-00"


def test_a_job_of_which_nothing_could_be_folded_is_not_listed(
    store: Store, views: StoredViews
) -> None:
    committer = Committer(store, RUN_STATE)
    committer.commit({"job": [{"type": 1}]})

    assert listed(views) == []
    assert views.state("job") is None
    committer.commit({"job": [started()]})
    assert listed(views) == ["job"]


def test_parked_events_of_every_projection_count_on_the_job(
    store: Store, views: StoredViews
) -> None:
    for view, count in ((RUN_STATE, 1), (MESSAGES, 2), (METRICS, 3)):
        committer = Committer(store, view)
        writes, _ = committer.fold({"job": [started(), message("a"), metrics(a=1)]})
        bad = [Parked("job", Position(1, n), "why", b"", None, None) for n in range(count)]
        store.commit(committer.lease, (1, 1), writes, bad, SECONDS)

    (listed_state,) = views.jobs()

    assert listed_state.parked == 6
    assert views.state("job") == listed_state

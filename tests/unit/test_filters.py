"""The filter language: what it takes, what it says of what it does not, and what it finds."""

from __future__ import annotations

from math import nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_stream.ports.filters.language import FilterError, field_of, fields, parse, parse_sort
from synapse_stream.ports.filters.matching import matches, order
from synapse_stream.ports.filters.search import Wanted, search
from synapse_stream.ports.views import RunState, SeriesKey, SeriesSummary
from tests.support.events import START, ended, event, started
from tests.support.folding import scene

NOW = START + 3_600_000_000


def run(at: float = 0, **given: Any) -> RunState:
    """Return a run that failed after 90 s."""
    given = {"params": {"lr": 0.1, "model": {"name": "resnet"}, "dotted.name": 3}, **given}
    labels = {"team": "a", "owner": "mina", "tries": "12"}
    begin = started(at=at, labels=labels, **given)
    return scene(begin, ended("failed", error="ValueError: it's full", at=at + 90)).state


def summary(name: str, rank: int = 0, **given: Any) -> SeriesSummary:
    found = {"count": 3, "minimum": 0.1, "maximum": 0.9, "last": 0.2, "has_x": False, **given}
    return SeriesSummary(SeriesKey(1, rank, "train", name), **found, non_finite=0)


class Views:
    """Runs in the order of a store: the newest first."""

    def __init__(
        self, *runs: RunState, series: dict[str, list[SeriesSummary]] | None = None
    ) -> None:
        self.runs, self.series_of, self.asked = runs, series or {}, 0
        self.given: dict[str, Any] = {}

    def jobs(self, *, after: str | None = None, limit: int = 100, **given: Any) -> list[RunState]:
        self.given = given
        ids = [one.job_id for one in self.runs]
        begin = 0 if after is None else ids.index(after) + 1
        return list(self.runs[begin : begin + limit])

    def series(self, job_id: str, *, name: str, attempt: int) -> list[SeriesSummary]:
        self.asked += 1
        return [one for one in self.series_of.get(job_id, []) if one.key.name == name]


def named(state: RunState, job_id: str) -> RunState:
    from dataclasses import replace

    return replace(state, job_id=job_id)


def holds(text: str, state: RunState | None = None) -> bool:
    known = {"val/loss": [summary("val/loss"), summary("val/loss", rank=1, minimum=0.05)]}
    return matches(state or run(), parse(text), lambda name: known.get(name, []), NOW)


@pytest.mark.parametrize(
    "text",
    [
        "status = failed",
        "STATUS".lower() + " == 'failed'",
        "status != completed and action = train",
        "job LIKE 'job-%' AND error ilike \"%FULL%\"",
        "error = 'ValueError: it''s full'",
        "params.lr > 0.05 AND params.lr <= 1e-1",
        "params.model.name = resnet",
        "params.dotted.name = 3",
        'params."dotted.name" >= 3',
        "labels.team IN (a, b) AND labels.team NOT IN ('c')",
        "labels.tries > 9",
        "owner = mina",
        "duration >= 90s AND duration < 2m AND duration = 1.5min",
        "started > '-2h' AND started < '2030-01-01' AND ended <= '-58min'",
        'metrics."val/loss".min < 0.06',
        'metrics."val/loss" = 0.2 AND metrics."val/loss".max > 0.8',
        "NOT metrics.nothing > 0",
        "status = completed OR NOT (status = running OR attempt > 1)",
        "status = completed AND attempt = 1 OR events = 2",
        "params.model LIKE '%resnet%'",
    ],
)
def test_a_run_that_fits_is_found(text: str) -> None:
    assert holds(text)
    assert not holds(f"NOT ({text})")


@pytest.mark.parametrize(
    "text",
    [
        "status = completed",
        "metrics.nothing > 0",
        "metrics.nothing != 0",
        "params.model.depth != 3",
        "status = failed AND (action = test OR attempt = 2)",
        "job LIKE 'job_'",
        "duration > 2m",
        "started < '-2h'",
        "percent > 10",
    ],
)
def test_one_that_does_not_fit_is_not(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("status", "at its end; expected =, !="),
        ("status =", "at its end; expected a value"),
        ("state = failed", "no field 'state'; expected job, status"),
        ("labels = a", "no field 'labels'"),
        ("status = failed failed", "at 'failed'; expected AND, OR or the end"),
        ("(status = failed", r"expected \)"),
        ("status IN failed", r"expected \("),
        ("status NOT = failed", "LIKE, ILIKE or IN"),
        ("status = 'failed", 'cannot be read at "\'failed"'),
        ("and = 1", "expected a field"),
        ("NOT " * 60 + "status = failed", "less parts in one another"),
        ("x" * 2_001, "at most 2000 characters"),
        ("started > yesterday", "no time; expected"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(text: str, says: str) -> None:
    with pytest.raises(FilterError, match=says):
        Wanted.of(text, None)


@given(
    text=st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            ["status", "=", "(", ")", "AND", "NOT", "IN", "'a'", "1", "metrics.a.min", ","]
        )
    ).map(" ".join)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except FilterError:
        return
    matches(run(), found, lambda _: [], NOW)
    for field in fields(found):
        assert field_of(str(field)) == field


def test_order_is_that_of_its_fields_and_what_lacks_them_comes_last() -> None:
    losses = {"a": 0.3, "b": 0.1, "c": nan}
    views = Views(
        *(named(run(at=number), job) for number, job in enumerate("dcba")),
        series={job: [summary("loss", last=last)] for job, last in losses.items()},
    )

    def found(sort: str) -> str:
        hits = search(views, Wanted.of(None, sort), now_us=NOW, limit=4)  # type: ignore[arg-type]
        return "".join(hit.state.job_id for hit in hits.found)

    assert found("metrics.loss") == "badc"
    assert found("-metrics.loss") == "abdc"
    assert found("job") == "abcd"
    assert found("-job") == "dcba"
    assert found("status, -started") == "abcd"
    assert sorted([None, "b", 2, nan, 1.5], key=order)[:3] == [1.5, 2, "b"]
    assert parse_sort(" -duration , metrics.loss.min")[1][0].stat == "min"


def test_pages_go_on_behind_one_another_and_what_is_indexed_is_asked_for() -> None:
    views = Views(*(named(run(), f"job-{number}") for number in range(450)))
    wanted = Wanted.of("status = failed AND action = train AND job LIKE '%0'", None)
    seen: list[str] = []
    after = None
    while True:
        hits = search(views, wanted, now_us=NOW, limit=10, after=after)  # type: ignore[arg-type]
        seen += [hit.state.job_id for hit in hits.found]
        after = hits.next
        if after is None:
            break

    assert seen == [f"job-{number}" for number in range(0, 450, 10)]
    assert views.given == {"status": "failed", "action": "train"}
    assert views.asked == 0


def test_a_large_run_is_read_whole_for_what_lists_leave_out() -> None:
    from dataclasses import replace

    whole = run()
    short = replace(whole, latest=replace(whole.latest, params=None, ranks=[]))
    views = Views(short)
    views.state = lambda _: whole  # type: ignore[attr-defined]
    wanted = Wanted.of("params.lr = 0.1", "-params.lr")

    (hit,) = search(views, wanted, now_us=NOW, limit=1).found  # type: ignore[arg-type]

    assert hit.values == {"params.lr": 0.1}


def test_an_event_that_is_no_run_has_no_field() -> None:
    assert not holds("params.lr = 0.1", scene(event("heartbeat")).state)

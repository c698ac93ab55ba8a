"""The filter language: what it takes, what it says of what it does not, and what it finds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_stream.ports.filters.fields import FilterError, field_of
from synapse_stream.ports.filters.language import fields
from synapse_stream.ports.filters.search import Wanted
from synapse_stream.ports.views import RunState, SeriesKey, SeriesSummary
from tests.support.events import START, ended, event, started
from tests.support.folding import scene
from tests.support.meaning import matches

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


def holds(text: str, state: RunState | None = None) -> bool:
    known = {"val/loss": [summary("val/loss"), summary("val/loss", rank=1, minimum=0.05)]}
    wanted = Wanted.of(text, None, now_us=NOW).filter
    return matches(state or run(), wanted, lambda name: known.get(name, []))


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
        ("state = failed", "no field 'state'; did you mean started?"),
        ("colour = red", "no field 'colour'; expected job, status"),
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
        ("duration > long", "at 'long'; expected a number"),
        ("metrics.loss LIKE '1%'", "expected =, !="),
        ("job = 'a\0'", "without NUL"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(text: str, says: str) -> None:
    with pytest.raises(FilterError, match=says):
        Wanted.of(text, None, now_us=NOW)


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
        found = Wanted.of(text, None, now_us=NOW).filter
    except FilterError:
        return
    matches(run(), found, lambda _: [])
    for field in fields(found):
        assert field_of(str(field)) == field


def test_orders_and_columns_are_fields() -> None:
    sort, columns = "-duration , metrics.loss.min", "params.lr,metrics.acc.best"
    wanted = Wanted.of("status = failed", sort, columns, now_us=NOW)

    assert [(str(field), down) for field, down in wanted.sort] == [
        ("duration", True),
        ("metrics.loss.min", False),
    ]
    assert [str(field) for field in wanted.fields] == [
        *("params.lr", "metrics.acc.best", "status", "duration", "metrics.loss.min")
    ]
    assert [field_of(f"metrics.{name}.best").kept for name in ("acc", "loss", "lr")] == [
        *("max", "min", "last")
    ]


def test_an_event_that_is_no_run_has_no_field() -> None:
    assert not holds("params.lr = 0.1", scene(event("heartbeat")).state)

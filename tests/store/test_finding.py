"""Runs are found by SQL as they would be one by one, on every database."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from consumers.store import jobs
from synapse_stream.ports.filters.fields import field_of
from synapse_stream.ports.filters.search import Wanted
from tests.store.jobs import FIRST_MS, METRICS, RUN_STATE, Committer, ended, metrics
from tests.support.meaning import fact_of, in_order, matches

if TYPE_CHECKING:
    from consumers.store.store import Store
    from consumers.views.reader import StoredViews
    from synapse_stream.ports.views import RunState

EXAMPLES = int(os.environ.get("FINDING_EXAMPLES", "10"))
NOW = (FIRST_MS + 3_600_000) * 1000
VALUES = [
    *(0, 1, -1, 0.1, 10, 2**60, True, False, None, [1, "a"], {"deep": "x", "er": {"n": 3}}),
    *("a", "A", "ä", "Ä", "İ", "b%", "a_b", "[x]", "*", "10", "0.1", "", " 1 ", "x" * 500, "a\nb"),
]
NAMES = ["p", "q", "deep.er", "p.deep", "odd name", 'quo"ted']
FIELDS = [
    *(
        "job",
        "status",
        "action",
        "plugin",
        "owner",
        "error",
        "fingerprint",
        "attempt",
        "events",
        "percent",
    ),
    *("duration", "started", "ended", "labels.p", "labels.owner", "params.p", "params.q"),
    *("params.p.deep", "params.p.er.n", "params.deep.er", 'params."odd name"', "params.nothing"),
    *('params."quo""ted"', "metrics.loss", "metrics.loss.min", "metrics.loss.max"),
    *("metrics.loss.best", "metrics.acc.best", "metrics.nothing"),
]
TEXTS = ["a", "A", "ä", "Ä", "i̇", "b%", "a_b", "a%", "%", "_", "[x]", "*", "10", "run%", "failed"]
NUMBERS = ["0", "1", "-1", "0.1", "10", "2", "1e3", "1h", "3"]
METRIC_VALUES = st.sampled_from([0.0, 0.5, 1, -1, 2.5, "NaN", "Infinity", "-Infinity"])


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    field = field_of(name := draw(st.sampled_from(FIELDS)))
    if field.is_time:
        value = draw(st.sampled_from(["'-1h'", "'-30min'", "'2025-11-23'", "1763880000000000"]))
        return f"{name} {draw(st.sampled_from(['<', '<=', '>', '>=', '=', '!=']))} {value}"
    texts = [] if field.is_number else list(map(quoted, TEXTS))
    values = st.sampled_from([*NUMBERS, *texts])
    signs = ["=", "!=", "<", "<=", ">", ">=", "IN", "NOT IN"]
    sign = draw(st.sampled_from(signs if field.is_number else [*signs, "LIKE", "ILIKE"]))
    if sign.endswith("IN"):
        several = draw(st.lists(values, min_size=1, max_size=3))
        return f"{name} {sign} ({', '.join(several)})"
    if sign.endswith("LIKE"):
        return f"{name} {sign} {draw(st.sampled_from(texts))}"
    return f"{name} {sign} {draw(values)}"


FILTERS = st.recursive(
    comparisons(),
    lambda inner: (
        st.builds("({} AND {})".format, inner, inner)
        | st.builds("({} OR {})".format, inner, inner)
        | st.builds("NOT ({})".format, inner)
    ),
    max_leaves=5,
)
SORTS = st.lists(
    st.builds("{}{}".format, st.sampled_from(["", "-"]), st.sampled_from(FIELDS)), max_size=2
).map(", ".join)
NAMED = st.dictionaries(st.sampled_from([*NAMES, "owner"]), st.sampled_from(VALUES), max_size=3)
RUNS = st.lists(
    st.tuples(
        st.sampled_from([None, "train", "Übung", "a"]),
        NAMED,
        st.none() | NAMED,
        st.sampled_from([None, "completed", "failed", "cancelled"]),
        st.lists(
            st.dictionaries(st.sampled_from(["loss", "acc"]), METRIC_VALUES, min_size=1), max_size=3
        ),
        st.sampled_from([0, 0, 1]),
    ),
    min_size=1,
    max_size=6,
)


class Runs:
    """Puts runs into a store, under names that no other has."""

    def __init__(self, store: Store) -> None:
        self.states, self.series = Committer(store, RUN_STATE), Committer(store, METRICS)
        self.count = 0

    def put(self, runs: Any) -> list[str]:
        ids = []
        self.count += 1
        for number, (action, labels, params, status, reports, rank) in enumerate(runs):
            ids.append(job_id := f"run{self.count}-{number}")
            begin = {"type": "run_started", "rank": 0, "labels": labels, "params": params}
            events = [{**begin, "action": action, "attempt": 1, "plugin": "a"}]
            events += [metrics("fit" if rank else None, **values) for values in reports]
            if status:
                error = {"error": f"Error: {action}"} if status == "failed" else {}
                events.append({**ended(status), **error})
            for committer in (self.states, self.series):
                committer.commit({job_id: events})
        return ids


def one_by_one(views: StoredViews, ids: list[str], text: str | None, sort: str) -> list[str]:
    def series(state: RunState) -> Any:
        return lambda name: views.series(state.job_id, name=name, attempt=state.latest.number)

    states = [state for one in reversed(ids) if (state := views.state(one)) is not None]
    wanted = Wanted.of(text, sort, now_us=NOW)
    found = [one for one in states if matches(one, wanted.filter, series(one))]
    for field, is_descending in reversed(wanted.sort):
        facts = [(one, fact_of(one, field, series(one))) for one in found]
        found = in_order(facts, descending=is_descending)
    return [one.job_id for one in found]


def found(views: StoredViews, ids: list[str], text: str | None, sort: str, limit: int) -> list[str]:
    """Return what is found page by page."""
    wanted, seen, after = Wanted.of(text, sort, now_us=NOW), [], None
    while True:
        pattern = f"{ids[0].partition('-')[0]}-*"
        hits = views.find(wanted, limit=limit, after=after, pattern=pattern)
        assert len(hits.found) == limit or hits.next is None
        seen += [hit.state.job_id for hit in hits.found]
        assert len(seen) <= len(ids)
        after = hits.next
        if after is None:
            return seen


@pytest.mark.parametrize("few", [0, 10_000])
def test_sql_finds_what_is_found_one_by_one(
    store: Store, views: StoredViews, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether what is few is looked up, or all is walked."""
    monkeypatch.setattr("consumers.views.finding.query.FEW", few)
    runs = Runs(store)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],  # to shrink one would take minutes
        suppress_health_check=list(HealthCheck),
    )
    @given(made=RUNS, texts=st.lists(FILTERS, min_size=8, max_size=8), sort=SORTS, data=st.data())
    def law(made: Any, texts: list[str], sort: str, data: st.DataObject) -> None:
        ids = runs.put(made)
        for text in texts:
            expected = one_by_one(views, ids, text, sort)
            limit = data.draw(st.integers(1, 7))
            assert found(views, ids, text, sort, limit) == expected, (text, sort)

    law()


def test_what_is_found_follows_the_commits(store: Store, views: StoredViews) -> None:
    """Labels of a later attempt, and metrics over all series: the last value is the first one's."""

    def values() -> dict[str, Any]:
        columns = "labels.p,metrics.loss.min,metrics.loss.max,metrics.loss"
        (hit,) = views.find(Wanted.of(None, None, columns, now_us=NOW)).found
        return dict(hit.values)

    states, series = Committer(store, RUN_STATE), Committer(store, METRICS)
    begin = {"type": "run_started", "rank": 0}
    states.commit({"job": [{**begin, "labels": {"p": "a"}, "attempt": 1}]})
    series.commit({"job": [{**begin, "attempt": 1}, metrics("a", loss=2.0)]})
    series.commit({"job": [metrics("b", loss=1.0)]})
    before = values()
    series.commit({"job": [metrics("b", loss=4.0), metrics("a", loss=3.0)]})
    after = values()
    states.commit({"job": [{**begin, "labels": {"p": "b"}, "attempt": 2}]})

    assert list(before.values()) == ["a", 1.0, 2.0, 2.0]
    assert list(after.values()) == ["a", 1.0, 4.0, 3.0]
    assert list(values().values()) == ["b", None, None, None]


@pytest.mark.parametrize(("table", "change"), [("fact", "text = 'x'"), ("peak", "low = 0.5")])
def test_facts_that_are_changed_by_another_hand_are_a_fault(
    store: Store, views: StoredViews, table: str, change: str
) -> None:
    Runs(store).put([("train", {"p": "a"}, {"q": 1}, "failed", [{"loss": 1.0}], 0)])
    name = RUN_STATE.name if table == "fact" else METRICS.name
    database = store.databases.of(name)

    def fault() -> str | None:
        document = store.jobs.load(name, ["run1-0"])["run1-0"]
        with database.read("test") as connection:
            no = jobs.number(connection, name, "run1-0")
            assert no is not None
            return store.databases.table(name).fault(connection, no, document)

    assert fault() is None
    with database.write("test") as connection:
        connection.exec_driver_sql(f"UPDATE {table} SET {change}")
    assert fault() is not None


def test_groups_have_their_runs_in_numbers(store: Store, views: StoredViews) -> None:
    runs = Runs(store)
    losses = {"a": [1.0, 3.0], "b": [2.0]}
    for sweep, values in losses.items():
        for value in values:
            made = (None, {"sweep": sweep}, {"q": value}, "failed", [{"loss": value}], 0)
            runs.put([made])
    runs.put([(None, {"sweep": "a"}, {}, "completed", [], 0), (None, {}, {}, None, [], 0)])
    wanted = Wanted.of("events > 0", None, "metrics.loss,params.q,labels.sweep", now_us=NOW)

    first, second = views.groups(wanted, field_of("labels.sweep"))

    assert (first.value, first.runs, first.statuses) == ("a", 3, {"failed": 2, "completed": 1})
    assert first.spans == {"metrics.loss.last": (1, 3, 4, 2), "params.q": (1, 3, 4, 2)}
    assert (second.value, second.spans["params.q"].mean) == ("b", 2)
    assert [one.value for one in views.groups(wanted, field_of("status"))] == [
        "failed",
        *("completed", "running"),
    ]
    assert views.groups(wanted, field_of("labels.sweep"), pattern="run1-*")[0].runs == 1


def test_errors_of_one_kind_are_a_group(store: Store, views: StoredViews) -> None:
    states = Committer(store, RUN_STATE)
    for number in range(3):
        error = f"ValueError: no file {number} in '/tmp/{number}'"
        begin = {"type": "run_started", "rank": 0}
        states.commit({f"job-{number}": [begin, {**ended("failed"), "error": error}]})

    (group,) = views.groups(Wanted.of(None, None, now_us=NOW), field_of("fingerprint"))

    assert (group.value, group.runs) == ("ValueError: no file # in #", 3)

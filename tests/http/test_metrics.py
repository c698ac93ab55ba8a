from __future__ import annotations

import csv
import io
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from pyarrow import parquet

from synapse_stream.ports.views.table import utc
from tests.support.jobs import EPOCHS, HOSTILE

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

TRAINED = "/api/jobs/trained/metrics"
BAD = quote(HOSTILE, safe="")


def one(api: httpx.Client, **asked: Any) -> dict[str, Any]:
    (series,) = api.get(TRAINED, params=asked).json()["series"]
    found: dict[str, Any] = series
    return found


def test_series_are_listed_page_by_page(api: httpx.Client) -> None:
    names, after = [], None
    while True:
        asked = {"limit": 100, **({"after": after} if after else {})}
        answer = api.get(f"/api/jobs/{BAD}/series", params=asked).json()
        names += [series["name"] for series in answer["series"]]
        after = answer["next"]
        if after is None:
            break
        assert len(answer["series"]) == 100

    assert len(names) == len(set(names)) == 502


def test_a_series_says_what_is_in_it(api: httpx.Client) -> None:
    loss = one(api, name="loss")

    assert (loss["attempt"], loss["rank"], loss["step"], loss["has_x"]) == (1, 0, "fit", True)
    assert (loss["count"], loss["non_finite"], loss["in_view"]) == (EPOCHS, 3, EPOCHS)
    assert (loss["min"], loss["max"]) == (1 / EPOCHS, 1.0)
    assert api.get("/api/jobs/trained/series").json()["series"][1] == {
        name: value for name, value in loss.items() if name not in {"in_view", "buckets"}
    }


def test_buckets_keep_extremes_and_gaps_and_are_half_as_many_as_points(api: httpx.Client) -> None:
    buckets = one(api, name="loss", points=20)["buckets"]

    assert {len(column) for column in buckets.values()} == {10}
    assert sum(buckets["points"]) == EPOCHS
    assert (max(buckets["max"]), min(buckets["min"])) == (1.0, 1 / EPOCHS)
    assert (buckets["start"][0], buckets["stop"][-1]) == (1, EPOCHS)
    for name in ("nans", "positive_infinite", "negative_infinite"):
        assert sum(buckets[name]) == 1


def test_the_view_is_narrowed_and_its_axis_chosen(api: httpx.Client) -> None:
    by_index = one(api, name="accuracy", x="index", start=0, stop=9, points=2_000)
    by_time = one(api, name="accuracy", x="time", points=4)
    nothing = one(api, name="accuracy", start=EPOCHS + 1)

    assert by_index["in_view"] == 10
    assert by_index["buckets"]["last"] == [epoch / EPOCHS for epoch in range(1, 11)]
    assert by_time["buckets"]["start"][0] > 1_700_000_000_000_000
    assert (nothing["in_view"], nothing["count"]) == (0, EPOCHS)


class Recording:
    """Views that keep how many series are told of at a time."""

    def __init__(self, views: Any) -> None:
        self._views = views
        self.told: list[int] = []

    def series(self, *arguments: Any, **options: Any) -> Any:
        found = self._views.series(*arguments, **options)
        self.told.append(len(found))
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._views, name)


def test_a_page_of_courses_sums_up_its_own_series_and_no_others(
    api: httpx.Client, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = Recording(app.state.sources.views)
    monkeypatch.setattr(app.state.sources, "views", recording)
    names: list[str] = []
    after = None
    while not names or after:
        asked = {"points": 2, **({"after": after} if after else {})}
        answer = api.get(f"/api/jobs/{BAD}/metrics", params=asked).json()
        names += [series["name"] for series in answer["series"]]
        after = answer["next"]

    assert len(names) == len(set(names)) == 502
    assert recording.told == [101] * 5 + [2]


def test_without_a_bound_every_point_comes_with_its_position(api: httpx.Client) -> None:
    loss = one(api, name="loss", points=0)

    assert loss["x"] == list(range(1, EPOCHS + 1))
    assert loss["value"][49:52] == ["NaN", "Infinity", "-Infinity"]
    assert loss["value"][0] == 1.0
    assert len(loss["time"]) == len(loss["position"]) == EPOCHS
    assert "buckets" not in loss


def test_a_series_ends_at_the_position_of_a_replay(api: httpx.Client) -> None:
    places = one(api, name="loss", points=0)["position"]

    cut = one(api, name="loss", points=0, until=places[9])
    overview = one(api, name="loss", until=places[9])

    assert cut["position"] == places[:10]
    assert overview["in_view"] == 10


def test_of_each_series_the_latest_attempt_comes_unless_one_is_named(api: httpx.Client) -> None:
    def found(**asked: Any) -> list[tuple[int, str]]:
        answer = api.get("/api/jobs/again/metrics", params=asked).json()
        return [(series["attempt"], series["name"]) for series in answer["series"]]

    assert found() == [(2, "only"), (2, "shared")]
    assert found(attempt="all") == [(1, "only"), (1, "shared"), (2, "only"), (2, "shared")]
    assert found(attempt=1, name="only") == [(1, "only")]
    assert found(attempt=3) == []


def test_no_more_than_a_hundred_series_come_at_once_and_all_in_the_end(api: httpx.Client) -> None:
    pages: list[list[str]] = []
    after = None
    while after is not None or not pages:
        asked = {"points": 2, **({"after": after} if after else {})}
        answer = api.get(f"/api/jobs/{BAD}/metrics", params=asked).json()
        pages.append([series["name"] for series in answer["series"]])
        after = answer["next"]

    assert [len(page) for page in pages] == [100] * 5 + [2]
    assert len(set(chain.from_iterable(pages))) == 502


def test_csv_has_every_point_of_every_series(api: httpx.Client) -> None:
    answer = api.get(TRAINED, headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(answer.text.splitlines()))

    assert answer.headers["content-type"].startswith("text/csv")
    assert "metrics.csv" in answer.headers["content-disposition"]
    assert list(rows[0]) == ["attempt", "rank", "step", "name", "position", "time", "x", "value"]
    assert len(rows) == 2 * EPOCHS
    loss = [row for row in rows if row["name"] == "loss"]
    assert [row["value"] for row in loss[48:53]] == [
        str(1 / 49), "NaN", "Infinity", "-Infinity", str(1 / 53)
    ]  # fmt: skip
    assert [float(row["x"]) for row in loss] == list(range(1, EPOCHS + 1))


def test_csv_holds_the_names_of_a_hostile_job_as_they_are(api: httpx.Client) -> None:
    answer = api.get(f"/api/jobs/{BAD}/metrics", headers={"Accept": "text/csv"})
    listed = api.get(f"/api/jobs/{BAD}/series", params={"limit": 1000}).json()["series"]

    rows = list(csv.DictReader(answer.text.splitlines(keepends=True)))
    assert {row["name"] for row in rows} == {series["name"] for series in listed}


def test_parquet_has_the_rows_of_the_csv(api: httpx.Client) -> None:
    for job in (TRAINED, f"/api/jobs/{BAD}/metrics"):
        answer = api.get(job, headers={"Accept": "application/vnd.apache.parquet"})
        table = parquet.read_table(io.BytesIO(answer.content))
        text = api.get(job, headers={"Accept": "text/csv"}).text
        lines = list(csv.DictReader(text.splitlines(keepends=True)))

        assert answer.headers["content-type"] == "application/vnd.apache.parquet"
        assert "metrics.parquet" in answer.headers["content-disposition"]
        assert table.column_names == list(lines[0])
        rows = table.set_column(5, "time", table["time"].cast("int64")).to_pylist()
        assert len(rows) == len(lines)
        for row, line in zip(rows, lines, strict=True):
            for name in ("position", "name", "rank", "attempt"):
                assert str(row[name]) == line[name]
            assert utc(row["time"]) == line["time"]
            assert (row["step"] or "") == line["step"]
            assert row["value"] == pytest.approx(float(line["value"]), rel=0, nan_ok=True)
            assert row["x"] == (float(line["x"]) if line["x"] else None)


@pytest.mark.parametrize("kind", ["image/png", "text/csv;q=0"])
def test_a_form_that_cannot_be_given_is_refused_with_those_that_can(
    api: httpx.Client, kind: str
) -> None:
    answer = api.get(TRAINED, headers={"Accept": kind})

    assert answer.status_code == 406
    offered = ["application/json", "text/csv", "application/vnd.apache.parquet"]
    assert answer.json()["allowed"] == {"accept": offered}


def test_a_browser_gets_json(api: httpx.Client) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

    assert api.get(TRAINED, headers={"Accept": accept}).json()["x"] == "step"


@pytest.mark.parametrize(
    "asked",
    [
        {"points": -1},
        {"points": 10_000_000},
        {"x": "steps"},
        {"rank": 2**70},
        {"attempt": "latest"},
        {"attempt": 2**31},
        {"start": "nan"},
        {"start": "inf"},
        {"start": 2, "stop": 1},
        {"until": "5"},
        {"until": f"{2**64}-0"},
        {"name": "a\0b"},
        {"name": "n" * 1001},
        {"after": "[1]"},
        {"after": "[1,0,null,5]"},
        {"after": f"[{2**65},0,null,\"a\"]"},
        {"after": "[1,0,null,\"a\\u0000\"]"},
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_a_problem_that_says_what_is(
    api: httpx.Client, asked: dict[str, Any]
) -> None:
    answer = api.get(TRAINED, params=asked)

    assert answer.status_code == 422
    (name,) = answer.json()["allowed"]
    assert name in asked

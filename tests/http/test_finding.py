"""Runs found over HTTP: pages, order, values, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_stream import Runs

if TYPE_CHECKING:
    import httpx

    from synapse_stream.settings import Settings


def found(api: httpx.Client, **asked: Any) -> dict[str, Any]:
    answer = api.get("/api/jobs", params=asked)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_runs_are_found_by_params_and_metrics_with_their_values(api: httpx.Client) -> None:
    wanted = "params.lr = 0.1 AND metrics.loss.min < 0.01 AND status = completed"

    body = found(api, filter=wanted, sort="-metrics.accuracy")

    assert [job["job_id"] for job in body["jobs"]] == ["trained"]
    assert body["jobs"][0]["values"] == {
        "params.lr": 0.1,
        "metrics.loss.min": pytest.approx(1 / 120),
        "status": "completed",
        "metrics.accuracy.last": 1.0,
    }
    assert body["next"] is None


def test_pages_of_what_is_found_repeat_and_skip_nothing(api: httpx.Client) -> None:
    every = [job["job_id"] for job in found(api, filter="status = running")["jobs"]]
    seen: list[str] = []
    after = None
    while True:
        page = found(api, filter="status = running", limit=2, **({"after": after} if after else {}))
        seen += [job["job_id"] for job in page["jobs"]]
        after = page["next"]
        if after is None:
            break

    assert len(every) > 3
    assert seen == every


def test_a_sorted_list_has_pages_too_and_columns_are_told(api: httpx.Client) -> None:
    asked = {"sort": "-metrics.loss.best, job", "columns": "metrics.loss.best,labels.team"}
    every = found(api, **asked)["jobs"]
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = found(api, **asked, limit=2, **after)
        seen += [job["job_id"] for job in page["jobs"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}

    assert len(every) > 3
    assert seen == [job["job_id"] for job in every]
    assert every[0]["values"] == {
        "metrics.loss.best": pytest.approx(1 / 120),
        "labels.team": None,
        "job": "trained",
    }


def test_runs_are_grouped(api: httpx.Client, filled: Settings) -> None:
    asked = {"by": "status", "columns": "metrics.loss.best", "filter": "status = completed"}

    body = api.get("/api/groups", params=asked).json()

    (group,) = body["groups"]
    assert group["value"] == "completed"
    assert group["runs"] == group["statuses"]["completed"] > 0
    span = group["spans"]["metrics.loss.best"]
    assert span["low"] == pytest.approx(1 / 120)
    there = filled.model_copy(update={"url": str(api.base_url), "redis_url": None})
    runs = Runs("status = completed", columns="metrics.loss.best", settings=there)
    assert [one.statuses for one in runs.groups("status")] == [group["statuses"]]
    assert api.get("/api/groups", params={"by": "loss"}).status_code == 422


def test_with_whole_there_is_all_of_each(api: httpx.Client) -> None:
    (job,) = found(api, filter="job = trained", whole="true")["jobs"]

    assert job["attempts"][0]["params"] == {"lr": 0.1}
    assert job["values"] == {"job": "trained"}


@pytest.mark.parametrize(
    "asked", [{"filter": "job ="}, {"sort": "loss"}, {"filter": "job = a", "after": "nobody"}]
)
def test_what_cannot_be_read_is_refused_with_a_reason(
    api: httpx.Client, asked: dict[str, str]
) -> None:
    answer = api.get("/api/jobs", params=asked)

    assert answer.status_code == 422
    assert "expected" in answer.json()["detail"]


def test_a_script_finds_runs_over_http(api: httpx.Client, filled: Settings) -> None:
    there = filled.model_copy(update={"url": str(api.base_url), "redis_url": None})

    runs = Runs("params.lr = 0.1", sort="-metrics.loss.max", settings=there)

    assert [run.job_id for run in runs] == ["trained"]
    assert runs.rows()[0]["metrics.loss.max"] == 1.0
    with pytest.raises(ValueError, match="no field 'loss'"):
        Runs("loss < 1", settings=there)


def test_runs_are_compared_by_what_differs(api: httpx.Client) -> None:
    body = api.get("/api/compare", params={"job": ["trained", "running", "again"]}).json()

    assert body["jobs"] == ["trained", "running", "again"]
    rows = {(row["kind"], row["name"]): row for row in body["rows"]}
    assert rows["run", "status"]["values"] == ["completed", "running", "failed"]
    assert rows["params", "lr"]["values"] == [0.1, None, None]
    assert rows["metrics", "fit: accuracy"]["values"] == [1.0, None, None]
    assert rows["metrics", "fit: accuracy"]["best"] == [0]
    assert api.get("/api/compare?job=trained&job=nobody").status_code == 404
    assert api.get("/api/compare?job=trained").status_code == 422

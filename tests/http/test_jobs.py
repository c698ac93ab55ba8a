from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.support.jobs import EPOCHS, HOSTILE, LONG, SLASHED

if TYPE_CHECKING:
    import httpx

ALL = {
    "taken",
    "asked",
    "trained",
    "running",
    SLASHED,
    LONG,
    "team",
    "team%2Fa",
    "-",
    "ü",
    "again",
    HOSTILE,
}


def path(job_id: str, *more: str) -> str:
    return "/".join(("/api/jobs", quote(job_id, safe=""), *more))


def test_jobs_come_newest_first_page_by_page_and_none_twice(api: httpx.Client) -> None:
    found: list[str] = []
    after = None
    while True:
        asked = {"limit": 3} if after is None else {"limit": 3, "after": after}
        answer = api.get("/api/jobs", params=asked).json()
        found += [job["job_id"] for job in answer["jobs"]]
        after = answer["next"]
        if after is None:
            break
        assert len(answer["jobs"]) == 3

    assert len(found) == len(ALL)
    assert set(found) == ALL
    assert found == [job["job_id"] for job in api.get("/api/jobs").json()["jobs"]]
    assert found[-1] == "trained"


def test_jobs_are_narrowed_by_status_action_and_text(api: httpx.Client) -> None:
    def ids(**asked: str) -> list[str]:
        return [job["job_id"] for job in api.get("/api/jobs", params=asked).json()["jobs"]]

    assert ids(status="completed") == ["taken", "trained"]
    assert ids(status="failed", action="train") == ["again"]
    assert ids(q="TRAINED") == ["trained"]
    assert ids(q="%") == ["team%2Fa", SLASHED]
    assert ids(action="nothing") == []


def test_a_summary_says_what_a_list_shows(api: httpx.Client) -> None:
    (job,) = api.get("/api/jobs", params={"q": "running"}).json()["jobs"]

    assert job["status"] == "running"
    assert job["health"] in {"alive", "silent", "lost"}
    assert (job["percent"], job["attempt"], job["attempts"], job["events"]) == (30.0, 1, 1, 2)
    assert job["completeness"] == "open"
    assert job["position"].startswith(str(job["last_sign_ms"]))


def test_a_job_shows_its_attempts_steps_and_freshness(api: httpx.Client) -> None:
    job = api.get(path("trained")).json()

    (attempt,) = job["attempts"]
    (step,) = attempt["steps"]
    assert (job["status"], job["health"], job["latest"]) == ("completed", "ended", 1)
    assert (step["name"], step["percent"], step["current"]) == ("training", 100.0, EPOCHS)
    assert attempt["counts"]["metrics"] == EPOCHS
    assert attempt["events"] == sum(attempt["counts"].values())
    assert attempt["completeness"]["status"] == "complete"
    assert attempt["params"] == {"lr": 0.1}
    position_ms = int(job["position"].partition("-")[0])
    assert job["age_seconds"] == pytest.approx((job["now_ms"] - position_ms) / 1000)


@pytest.mark.parametrize("job_id", sorted(ALL))
@pytest.mark.parametrize("more", [(), ("series",), ("metrics",), ("messages",), ("events",)])
def test_every_id_is_found_under_every_path(
    api: httpx.Client, job_id: str, more: tuple[str, ...]
) -> None:
    answer = api.get(path(job_id, *more))

    assert answer.status_code == 200
    if not more:
        assert answer.json()["job_id"] == job_id


@pytest.mark.parametrize(
    "raw",
    [
        "team/a b",
        "team%2Fa",  # is there only percent-encoded once more
        "unknown",
        "..%2Ftrained",
        "%2e%2e",
        "trained%00",
        "trained%0A",
        "%FF",
        "%",
        "%zz",
        quote("é" * 400, safe=""),
        "trained%2Fmetrics",
        "'; DROP TABLE job; --",
    ],
)
def test_an_id_that_is_none_is_a_problem_and_never_a_fault(api: httpx.Client, raw: str) -> None:
    answer = api.get(f"/api/jobs/{raw}")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


def test_a_job_that_is_called_like_a_part_of_a_path_is_not_mistaken(api: httpx.Client) -> None:
    assert api.get("/api/jobs/team/messages").json()["messages"][0]["content"] == "I am team"
    assert api.get("/api/jobs/team%252Fa").json()["job_id"] == "team%2Fa"


def test_an_etag_stays_while_nothing_new_is_recorded(api: httpx.Client) -> None:
    for where in (path("trained"), "/api/jobs", path("trained", "metrics"), path("ü", "messages")):
        first = api.get(where)
        again = api.get(where, headers={"If-None-Match": first.headers["etag"]})
        other = api.get(where, headers={"If-None-Match": '"other"'})

        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert other.status_code == 200
        assert "private" in first.headers["cache-control"]


def test_a_job_says_what_must_be_known_of_its_processes(api: httpx.Client) -> None:
    (row,) = api.get("/api/jobs", params={"q": "taken"}).json()["jobs"]
    job = api.get("/api/jobs/taken", params={"at": row["position"]}).json()

    run = job["attempts"][0]
    assert (job["status"], job["alive_beside"]) == ("completed", [1])
    assert (run["is_ending"], run["signal"], run["rejected"]) == (False, "SIGTERM", 2)
    assert [(one["producer"], one["last"], one["heir"]) for one in run["resumed"]] == [
        ("second", 1, "heir")
    ]
    assert run["lost"] == []
    assert run["completeness"] == {
        "status": "shed",
        "missing": {},
        "shed": {},
        "is_uncounted": True,
        "waiting": ["child-2"],
        "waiting_count": 1,
        "missing_count": 0,
        "reasons": {},
    }
    assert len(run["notes"]) == 3


def test_the_list_says_it_in_short(api: httpx.Client) -> None:
    rows = {row["job_id"]: row for row in api.get("/api/jobs", params={"q": "a"}).json()["jobs"]}

    assert (rows["asked"]["status"], rows["asked"]["is_ending"]) == ("cancelled", True)
    assert (rows["taken"]["waiting"], rows["taken"]["is_uncounted"]) == (1, True)
    assert len(rows["taken"]["notes"]) == 3

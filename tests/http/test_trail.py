"""The operators' trail over HTTP: who sees it, and that nobody reports to it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from consumers.api.app import create_app
from synapse_stream.entries.keys import TRAIL
from synapse_stream.log.event_log import open_log
from synapse_stream.operating.trail import Actor, Trail
from synapse_stream.remote.packing import PACKED, pack
from synapse_stream.remote.tokens import issue, sign
from tests.support.chains import Chain
from tests.support.doors import SECRET
from tests.support.projecting import project
from tests.support.serving import asked

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from synapse_stream.settings import Settings

ACTS = [
    ("token make", ["job-1"]),
    ("token revoke", []),
    ("replay --to", ["job-2"]),
]


def bearer(**claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign(issue('ada', 86_400, **claims), SECRET)}"}


OPERATOR = bearer(role="operator")
OTHERS = {
    "viewer": bearer(role="viewer"),
    "developer": bearer(role="developer"),
    "operator of some jobs": bearer(role="operator", jobs="*"),
    "operator of that name": bearer(role="operator", jobs=TRAIL),
    "appender": bearer(append=True),
}
PLACES = (
    *(f"/api/jobs/{TRAIL}{place}" for place in ("", "/events", "/messages", "/series", "/metrics")),
    *(f"/api/jobs/{TRAIL}{place}" for place in ("/live", "/views/time-by-step", "/standing")),
    f"/api/compare?job={TRAIL}&job=job-1",
    f"/v1/stream/{TRAIL}?offset=-1",
)


@pytest.fixture(scope="module")
def deployment(filled: Settings) -> Settings:
    changes = {"namespace": "trailed", "token_secret": SecretStr(SECRET)}
    home = filled.data_dir / "trailed"
    settings = filled.model_copy(update={**changes, "data_dir": home})
    with closing(Trail.open(settings)) as trail:
        for name, jobs in ACTS:
            with trail.act(name, Actor("ada", "here", "by hand"), jobs=jobs):
                pass
    with closing(open_log(settings)) as log:
        log.append(Chain("job-1").add())
    project(settings)
    return settings


@pytest.fixture(scope="module")
def client(deployment: Settings) -> Iterator[httpx.Client]:
    with asked(create_app(deployment)) as client:
        yield client


def names(client: httpx.Client, query: str = "") -> list[str]:
    found = client.get(f"/api/trail{query}", headers=OPERATOR).json()["acts"]
    return [act["act"] for act in found]


@pytest.mark.parametrize("who", OTHERS)
def test_only_an_operator_of_all_jobs_sees_it(client: httpx.Client, who: str) -> None:
    statuses = {place: client.get(place, headers=OTHERS[who]).status_code for place in PLACES}

    assert client.get("/api/trail", headers=OTHERS[who]).status_code == 403
    assert set(statuses.values()) == {403 if who == "appender" else 404}


def test_an_operator_sees_it_as_acts_and_as_a_job_and_no_list_has_it(client: httpx.Client) -> None:
    events = client.get(f"/api/jobs/{TRAIL}/events", headers=OPERATOR).json()["events"]
    listed = client.get("/api/jobs", headers=OPERATOR).json()["jobs"]

    assert names(client) == [name for name, _ in ACTS]
    assert len(events) == 2 * len(ACTS) + 1
    assert client.get(f"/api/jobs/{TRAIL}", headers=OPERATOR).status_code == 200
    assert [job["job_id"] for job in listed] == ["job-1"]


def test_acts_are_chosen_by_name_job_and_time_and_the_newest_are_given(
    client: httpx.Client,
) -> None:
    assert names(client, "?act=token") == ["token make", "token revoke"]
    assert names(client, "?act=token%20revoke") == ["token revoke"]
    assert names(client, "?job=job-2") == ["replay --to"]
    assert names(client, "?limit=2") == ["token revoke", "replay --to"]
    assert names(client, "?since=2100-01-01T00:00:00Z") == []


def test_what_is_done_later_is_there_at_once(client: httpx.Client, deployment: Settings) -> None:
    before = names(client)
    made = {"name": "bob", "append": True, "reason": "he asked"}
    client.post("/api/tokens", json=made, headers=OPERATOR).raise_for_status()
    found = client.get("/api/trail?limit=1", headers=OPERATOR).json()["acts"][0]

    assert names(client) == [*before, "token make"]
    assert (found["by"], found["reason"], found["outcome"]) == ("token ada", "he asked", "done")
    assert found["origin"] == "POST /api/tokens from 127.0.0.1"
    assert found["before"]["name"] == "bob"


@pytest.mark.parametrize("job", [TRAIL, "job-2"])
def test_not_even_an_operator_reports_to_it(client: httpx.Client, job: str) -> None:
    """Each of these ways is open for another job."""
    batch = Chain(job).add({"type": "message", "content": "none of an operator's"})
    said = {"hash": batch.hash.hex(), "salts": batch.salts.hex()}
    query = {"producer": "p1", "first": 0, "last": batch.last, **said}
    ((_, packed),) = pack([batch])
    form, logs = {"Content-Type": PACKED}, {"event": "e", "data": {}, "job": job}
    ways: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", f"/v1/stream/{job}", {"headers": {"Content-Type": "application/json"}}),
        ("POST", f"/v1/stream/{job}", {"json": [{"event": "e"}]}),
        ("POST", f"/api/jobs/{job}/append", {"params": query, "content": batch.data}),
        ("POST", "/api/append", {"content": packed, "headers": form}),
        ("POST", "/ingest/synapse/logs/", {"json": logs}),
        ("POST", f"/ingest/trainer/jobs/{job}", {"json": {"trainerStatus": {}}}),
    ]
    answers = {}
    for method, path, given in ways:
        headers = {**OPERATOR, **given.pop("headers", {})}
        answer = client.request(method, path, headers=headers, **given)
        answers[f"{method} {path}"] = (answer.status_code, answer.text)

    refused = {way: found for way, found in answers.items() if found[0] >= 400}
    assert refused == (answers if job == TRAIL else {})
    assert client.get("/api/trail", headers=OPERATOR).json()["acts"]

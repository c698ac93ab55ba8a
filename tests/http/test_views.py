"""Views of other packages over HTTP: who may see which, of which jobs, and what is damaged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from consumers import views
from consumers.api.app import create_app
from consumers.store.schema import job
from consumers.views.opening import open_databases
from synapse_stream.log.event_log import open_log
from synapse_stream.settings import Settings
from tests.support import events
from tests.support.chains import Chain
from tests.support.packages import installed, put_example, put_module
from tests.support.projecting import Consumers
from tests.support.serving import asked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.support.servers import TestServer

ERRORS, TIMES = "errors-by-kind", "time-by-step"
TOKENS = {name: f"{name}-token-0123456789" for name in ("viewer", "developer", "team")}
GIVEN = [
    {"name": "viewer", "role": "viewer", "token": TOKENS["viewer"]},
    {"name": "developer", "role": "developer", "token": TOKENS["developer"]},
    {"name": "team", "role": "developer", "token": TOKENS["team"], "jobs": "team*"},
]
JOBS = ["alone", "damaged", "team-a", "team-b"]


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[name]}"}


@pytest.fixture(scope="module")
def api(own_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Have four jobs in two views, one of them damaged, and a package that cannot be had."""
    home = tmp_path_factory.mktemp("views")
    site = put_example(home / "site")
    put_module(site, "bad", "import nothing_of_this_name", {"gone": "bad:V"})
    settings = own_settings(own_server, home)
    log = open_log(settings)
    for one in JOBS:
        log.append(Chain(one).add(events.started(), events.message("bad", "danger", step="fit")))
    log.close()
    with installed(site):
        with Consumers(settings, [views.find(name).rules for name in (ERRORS, TIMES)]) as consumers:
            consumers.catch_up()
        databases = open_databases(settings)
        for name in (ERRORS, TIMES):
            with databases.of(name).write("test") as connection:
                here = update(job).where(job.c.job_id == "damaged")
                connection.execute(here.values(document=b'{"v":1,"view":'))
        databases.close()
        with asked(create_app(settings)) as client:
            yield client


def own_settings(server: TestServer, home: Path) -> Settings:
    return Settings(
        redis_url=server.url,
        namespace="views",
        data_dir=home,
        api_tokens=SecretStr(json.dumps(GIVEN)),
    )


def test_viewers_see_what_is_public_and_nothing_else(api: httpx.Client) -> None:
    viewer, developer = bearer("viewer"), bearer("developer")

    def named(who: dict[str, str]) -> list[tuple[str, bool]]:
        listed = api.get("/api/views", headers=who).json()["views"]
        return [(one["name"], one["fault"] is None) for one in listed]

    assert named(viewer) == [(TIMES, True)]
    assert named(developer) == [(ERRORS, True), (TIMES, True), ("gone", False)]
    for path in (
        f"/views/{ERRORS}",
        f"/jobs/alone/views/{ERRORS}",
        f"/jobs/alone/live?view={ERRORS}",
    ):
        answer = api.get(f"/api{path}", headers=viewer)
        assert answer.status_code == 403, path
        assert "is for developers" in answer.json()["detail"]
    assert api.get(f"/api/views/{TIMES}", headers=viewer).status_code == 200
    assert api.get(f"/api/views/{ERRORS}", headers=developer).status_code == 200


def test_a_token_for_some_jobs_lists_those_page_by_page(api: httpx.Client) -> None:
    def page(after: str) -> tuple[list[str], str | None]:
        asked_for: dict[str, str | int] = {"limit": 1, "after": after}
        found = api.get(f"/api/views/{ERRORS}", params=asked_for, headers=bearer("team")).json()
        return [one["job_id"] for one in found["jobs"]], found["next"]

    assert page("") == (["team-a"], "team-a")
    assert page("team-a") == (["team-b"], None)
    refused = api.get(f"/api/jobs/alone/views/{ERRORS}", headers=bearer("team"))
    assert refused.status_code in {403, 404}


def test_what_is_damaged_says_so_and_the_others_are_shown(api: httpx.Client) -> None:
    listed = api.get(f"/api/views/{ERRORS}", headers=bearer("developer")).json()["jobs"]
    shown = api.get(f"/api/jobs/damaged/views/{ERRORS}", headers=bearer("developer")).json()

    assert [one["job_id"] for one in listed] == JOBS
    assert [bool(one["fault"]) for one in listed] == [False, True, False, False]
    assert [bool(one["state"]) for one in listed] == [True, False, True, True]
    assert "synapse-stream rebuild errors-by-kind --job 'damaged' folds it anew" in shown["fault"]
    assert [row["text"] for row in shown["rows"]] == ["bad"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/views/never", "there is no view 'never' of another package"),
        ("/views/run-state", "there is no view 'run-state' of another package"),
        ("/views/gone", "the view 'gone' of bad is left out: bad:V cannot be loaded"),
        (
            f"/jobs/never/views/{ERRORS}",
            "errors-by-kind has nothing of job 'never', or",
        ),
    ],
)
def test_what_is_not_there_is_said(api: httpx.Client, path: str, reason: str) -> None:
    answer = api.get(f"/api{path}", headers=bearer("developer"))

    assert answer.status_code == 404
    assert reason in answer.json()["detail"]

"""Holds and sign-offs over HTTP: who is told what, and who may sign."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from consumers.api.app import create_app
from synapse_stream.log.event_log import open_log
from synapse_stream.operating.trail import acting
from synapse_stream.ports.audit import Verdict, open_auditor
from synapse_stream.remote.tokens import issue, sign
from tests.support import events
from tests.support.anchoring import private_key
from tests.support.chains import Chain
from tests.support.doors import SECRET
from tests.support.projecting import project
from tests.support.serving import asked

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from synapse_stream.settings import Settings


def bearer(**claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign(issue('ada', 86_400, **claims), SECRET)}"}


OPERATOR, VIEWER = bearer(role="operator"), bearer(role="viewer")
GIVEN = {"name": "Ada", "meaning": "reviewed"}


@pytest.fixture(scope="module")
def deployment(filled: Settings) -> Settings:
    """Record runs that are held, by name and by label, one that is not, and one that goes on."""
    changes = {
        "namespace": "vouched",
        "token_secret": SecretStr(SECRET),
        "sign_off_key": private_key(),
    }
    settings = filled.model_copy(update={**changes, "data_dir": filled.data_dir / "vouched"})
    with closing(open_log(settings)) as log:
        for job in ("named", "labelled", "free", "open"):
            labels = {"team": "legal"} if job == "labelled" else {}
            over = [] if job == "open" else [events.ended(count=2)]
            log.append(Chain(job).add(events.started(labels=labels), *over))
    for before in ({"job_id": "named", "label": None}, {"job_id": None, "label": "team=legal"}):
        with acting(settings, "hold", reason="a lawsuit", before=before):
            pass
    project(settings)
    return settings


@pytest.fixture(scope="module")
def client(deployment: Settings) -> Iterator[httpx.Client]:
    with asked(create_app(deployment)) as client:
        yield client


def standing(client: httpx.Client, job: str, who: dict[str, str]) -> Any:
    return client.get(f"/api/jobs/{job}/standing", headers=who).json()


def test_whoever_sees_a_run_is_told_that_it_is_held_and_operators_why(
    client: httpx.Client,
) -> None:
    (hold,) = standing(client, "labelled", OPERATOR)["holds"]
    (seen,) = standing(client, "named", VIEWER)["holds"]

    assert (hold["label"], hold["reason"]) == ("team=legal", "a lawsuit")
    assert (seen["label"], seen["by"], seen["reason"]) == (None, None, None)
    assert standing(client, "free", OPERATOR)["holds"] == []
    assert [standing(client, "free", who)["can_sign"] for who in (OPERATOR, VIEWER)] == [
        *(True, False)
    ]
    assert client.get("/api/jobs/nothing/standing", headers=OPERATOR).status_code == 404


def test_an_operator_signs_off_what_has_ended(client: httpx.Client, deployment: Settings) -> None:
    path = "/api/jobs/{}/sign-off"
    made = client.post(path.format("free"), json=GIVEN, headers=OPERATOR)
    early = client.post(path.format("open"), json=GIVEN, headers=OPERATOR)
    others = client.post(path.format("free"), json=GIVEN, headers=VIEWER)
    foreign = {**OPERATOR, "Origin": "http://evil.example"}
    (told,) = standing(client, "free", VIEWER)["sign_offs"]
    with closing(open_auditor(deployment)) as auditor:
        report = auditor.verify("free")

    assert made.json()["entries"] == 1
    assert (early.status_code, "goes on" in early.json()["detail"]) == (409, True)
    assert others.status_code == 403
    assert client.post(path.format("free"), json=GIVEN, headers=foreign).status_code == 403
    assert (told["name"], told["meaning"], told["is_done"]) == ("Ada", "reviewed", True)
    assert report.verdict is Verdict.INTACT
    assert any("signed off by Ada" in note for note in report.notes)
    assert [one["is_done"] for one in standing(client, "open", VIEWER)["sign_offs"]] == [False]
    acts = client.get("/api/trail?act=sign-off", headers=OPERATOR).json()["acts"]
    assert [act["by"] for act in acts] == ["token ada", "token ada"]

"""What people say of a run over HTTP: it is shown, changed, found, and stands in the trail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

PLACE = "/api/jobs/trained/annotation"
NOTHING: dict[str, Any] = {"labels": {}, "note": None, "archived": False, "baseline": False}


def told(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {name: answer.json()[name] for name in NOTHING}


def test_a_run_is_annotated_and_the_trail_tells_of_it(api: httpx.Client) -> None:
    before = told(api.get(PLACE))
    change: dict[str, Any] = {
        "labels": {"kept": "yes"},
        "note": "the best",
        "archived": True,
        "reason": "so far",
    }
    said = api.patch(PLACE, json=change)
    try:
        listed = [job["job_id"] for job in api.get("/api/jobs").json()["jobs"]]
        asked = {"filter": "archived = true AND labels.kept = yes", "columns": "note"}
        (job,) = api.get("/api/jobs", params=asked).json()["jobs"]
    finally:
        undone = {"labels": {"kept": None}, "note": "", "archived": False}
        after = told(api.patch(PLACE, json=undone))

    assert before == NOTHING
    changed = {name: change[name] for name in ("labels", "note", "archived")}
    assert told(said) == {**NOTHING, **changed}
    assert "trained" not in listed
    assert (job["job_id"], job["values"]["note"]) == ("trained", "the best")
    assert after == {**NOTHING, "labels": {"kept": None}}


def test_what_is_wrong_is_refused(api: httpx.Client) -> None:
    assert api.get("/api/jobs/nobody/annotation").status_code == 404
    assert api.patch("/api/jobs/nobody/annotation", json={"note": "x"}).status_code == 404
    assert api.patch(PLACE, json={"note": "x" * 10_001}).status_code == 422
    assert api.patch(PLACE, json={"state": "x"}).status_code == 422

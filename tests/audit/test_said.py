"""Verdicts where producers speak of one another: children, and names that were taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_stream.ports.audit import Verdict
from tests.support.chains import Chain
from tests.support.tampering import END, START

if TYPE_CHECKING:
    from tests.support.tampering import Deployment

LOST = {"type": "producer_lost", "host": "h", "pid": 1}
JOINED = {"type": "joined", "parent": "producer"}


def record(deployment: Deployment, producer: str, *events: dict[str, Any]) -> None:
    deployment.record(Chain("job-1", producer), list(events))


def child(name: str) -> dict[str, Any]:
    return {"producer": name, "pid": 1}


def test_a_run_is_open_until_the_children_that_it_names_have_ended(deployment: Deployment) -> None:
    record(deployment, "main", START, END | {"count": 2, "children": [child("c1"), child("c2")]})
    record(deployment, "c1", JOINED, LOST)
    waiting = deployment.verify()
    record(deployment, "c2", JOINED, END | {"status": None, "count": 2, "rank": None})
    deployment.project()
    whole = deployment.verify()

    assert (waiting.verdict, waiting.findings) == (Verdict.OPEN, [])
    assert any("have not ended, or not sent all: 1 (c2)" in note for note in waiting.notes)
    assert (whole.verdict, whole.findings) == (Verdict.INTACT, [])


def test_a_run_is_open_until_as_many_children_have_ended_as_it_counts(
    deployment: Deployment,
) -> None:
    record(deployment, "main", START, END | {"count": 2, "child_count": 1})
    before = deployment.verify().verdict
    record(deployment, "c1", JOINED | {"parent": "main"}, LOST)

    assert (before, deployment.verify().verdict) == (Verdict.OPEN, Verdict.INTACT)


def test_a_name_that_was_taken_is_named_and_ends_with_what_is_its_own(
    deployment: Deployment,
) -> None:
    record(deployment, "main", START, {}, {})
    record(
        deployment, "heir", {"type": "resumed", "producer": "main", "last": 1}, END | {"count": 2}
    )
    deployment.project()

    report = deployment.verify()

    assert (report.verdict, report.findings) == (Verdict.INTACT, [])
    assert {one.producer: one.sealed for one in report.producers} == {"main": 2, "heir": 2}
    assert any(note.startswith("main went on as heir") for note in report.notes)


def test_what_is_its_own_and_not_there_is_found(deployment: Deployment) -> None:
    record(deployment, "main", START)
    record(
        deployment, "heir", {"type": "resumed", "producer": "main", "last": 4}, END | {"count": 2}
    )

    report = deployment.verify()

    assert report.verdict is Verdict.BROKEN
    assert [(one.what, one.expected, one.found) for one in report.findings] == [
        ("seal", "5 events", "1")
    ]


def test_an_unknown_number_that_is_missing_is_noted(deployment: Deployment) -> None:
    loss = {"type": "loss", "counts": {}, "reason": "its memory is gone", "uncounted": True}
    record(deployment, "main", START, loss, END | {"count": 3})

    report = deployment.verify()

    assert report.verdict is Verdict.INTACT
    assert "of main an unknown number is missing, as is recorded" in report.notes

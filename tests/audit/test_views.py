"""Views are part of what is claimed: the report tells of them by a verdict of their own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, func, insert, select, update

from consumers.folding import marking
from consumers.store.schema import job, mark, parked
from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.run_state.fold import RunStateView
from synapse_stream.ports.audit import Verdict
from synapse_stream.settings import Settings
from tests.support.chains import Chain
from tests.support.tampering import END, START, Deployment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.servers import TestServer


@pytest.fixture
def settings(server: TestServer, namespace: str, tmp_path: Path) -> Iterator[Settings]:
    """Keep views in files of their own, one a view."""
    yield Settings(redis_url=server.url, namespace=namespace, data_dir=tmp_path, partitions=1)
    with server.client() as client:
        client.flushall()


@pytest.fixture(autouse=True)
def _marks_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marking, "EVENTS", 5)


def parked_run(deployment: Deployment) -> None:
    """Record and project a run of which the feed cannot fold two messages."""
    chain, said = Chain("job-1"), {"type": "message", "level": "info"}
    deployment.record(chain, [START, said | {"content": "one"}, said | {"content": 7}])
    deployment.record(chain, [said | {"content": 8}], [END | {"count": 5}])
    deployment.project()


@pytest.mark.parametrize("name", ["run-state", "message-feed", "metric-history"])
def test_a_view_that_was_put_back_from_a_copy_is_found(
    deployment: Deployment, tmp_path: Path, name: str
) -> None:
    chain = deployment.run(is_ended=False)
    deployment.project()
    copy = shutil.copytree(tmp_path / "views", tmp_path / "copy")
    deployment.record(chain, [{}, {"type": "message", "level": "error", "content": "it failed"}])
    deployment.project()
    with deployment.databases.of(name).write("test") as connection:
        connection.exec_driver_sql("ATTACH ? AS kept", (str(copy / f"{name}.db"),))
        query = "SELECT document FROM kept.job WHERE job_id = 'job-1'"
        old = connection.exec_driver_sql(query).scalar_one()
        connection.execute(update(job).where(job.c.job_id == "job-1").values(document=old))

    report = deployment.verify()

    assert (report.verdict, report.record) == (Verdict.BROKEN, Verdict.OPEN)
    assert report.view is Verdict.BROKEN
    (finding,) = report.findings
    assert (finding.what, finding.numbers) == (name, (25, 26))
    assert "the projection is behind it" in finding.expected


def test_a_view_of_another_version_is_not_said_to_be_right(deployment: Deployment) -> None:
    deployment.run()
    deployment.project()
    with deployment.databases.of(RunStateView.name).write("test") as connection:
        document = connection.execute(select(job.c.document)).scalar_one()
        other = document.replace(b'"v":%d' % RunStateView.version, b'"v":1')
        assert other != document
        connection.execute(update(job).values(document=other))

    report = deployment.verify()

    assert report.findings == []
    assert (report.record, report.view) == (Verdict.INTACT, Verdict.UNVERIFIED)
    assert report.verdict is Verdict.UNVERIFIED
    assert any("run-state is of another version" in note for note in report.notes)


def test_the_time_of_a_mark_is_compared(deployment: Deployment) -> None:
    deployment.run()
    deployment.project()
    for by in (1, -2, 3_600_000_000, -1_700_000_000_000_000):
        with deployment.databases.of(RunStateView.name).write("test") as connection:
            connection.execute(update(mark).values(time=mark.c.time + by))

        (finding,) = deployment.verify().findings

        assert finding.what == "mark"
        assert finding.expected.startswith("the time ")
    restored = 1 - 3_600_000_000 + 1_700_000_000_000_000
    with deployment.databases.of(RunStateView.name).write("test") as connection:
        connection.execute(update(mark).values(time=mark.c.time + restored))
    assert deployment.verify().verdict is Verdict.INTACT


def test_what_is_parked_is_told_and_what_is_parked_no_more(deployment: Deployment) -> None:
    parked_run(deployment)
    whole = deployment.verify()
    with deployment.databases.of(MessageFeedView.name).write("test") as connection:
        connection.execute(delete(parked).where(parked.c.number == 2))

    report = deployment.verify()

    assert (whole.findings, whole.view) == ([], Verdict.INTACT)
    assert "message-feed has parked events: 2" in whole.notes
    assert report.findings == []
    (note,) = (note for note in report.notes if "parked no more" in note)
    assert "cannot fold 1 events" in note
    assert "number 2 of producer-1" in note


def test_rows_of_parked_events_that_were_made_up_are_found(deployment: Deployment) -> None:
    parked_run(deployment)
    changes: list[dict[str, Any]] = [
        *({"number": number} for number in (9, 99, 2**40)),
        *({"producer": producer} for producer in ("nobody", "", "é")),
        *({"producer": "nobody", "number": number} for number in (0, 1, 2, 3)),
    ]
    for change in changes:
        with deployment.databases.of(MessageFeedView.name).write("test") as connection:
            row = connection.execute(select(parked).limit(1)).one()._asdict()
            no = connection.execute(select(func.max(parked.c.no))).scalar_one() + 1
            connection.execute(insert(parked).values(row | {"no": no} | change))

        (finding,) = deployment.verify().findings

        assert finding.what == "message-feed"
        assert finding.expected == "parked events that are recorded"
        with deployment.databases.of(MessageFeedView.name).write("test") as connection:
            connection.execute(delete(parked).where(parked.c.no == no))
    assert deployment.verify().findings == []


def test_what_was_given_up_before_it_had_a_number_is_listed(deployment: Deployment) -> None:
    chain = Chain("job-1")
    loss = {"type": "loss", "first": None, "last": None, "reason": "spool_full"}
    deployment.record(chain, [START], [loss | {"counts": {"metrics": 70, "log": 1}}, {}])
    deployment.record(chain, [loss | {"counts": {"metrics": 5}}], [END | {"count": 5}])
    deployment.project()

    (producer,) = deployment.verify().producers

    assert producer.shed == {"metrics": 75, "log": 1}
    assert producer.lost == []

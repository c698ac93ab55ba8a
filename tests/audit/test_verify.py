"""What verifying finds of runs as they are, and of runs that another hand has changed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import zstandard
from sqlalchemy import select, update

from consumers.audit import refolding
from consumers.audit.archived import recorded as read_blocks
from consumers.folding import marking
from consumers.projector.partition import Held
from consumers.store.schema import mark
from consumers.views.archive.fold import ArchiveFold
from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.opening import open_store
from consumers.views.run_state.fold import RunStateView
from synapse_stream.ports.audit import Verdict
from tests.support.archiving import Archiver
from tests.support.chains import Chain
from tests.support.projecting import OlderMessageFeed, view_of
from tests.support.tampering import END, START, Deployment, rechained

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from consumers.store.parked import ParkedEvent
    from consumers.store.store import Store
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.ports.audit import Finding, Report


@pytest.fixture(autouse=True)
def _marks_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marking, "EVENTS", 5)


def first(report: Report) -> Finding:
    assert report.verdict is Verdict.BROKEN
    return report.findings[0]


def test_a_run_that_was_recorded_and_projected_is_intact(deployment: Deployment) -> None:
    chain = deployment.run()
    deployment.project()

    report = deployment.verify()

    assert report.findings == []
    assert report.verdict is Verdict.INTACT
    assert (report.events, report.entries, report.archived) == (26, 8, 8)
    assert [one.sealed for one in report.producers] == [chain.last + 1]
    assert all(position is not None for position in report.views.values())


def test_a_run_that_goes_on_is_open_and_views_are_judged_by_what_they_have(
    deployment: Deployment,
) -> None:
    chain = deployment.run(is_ended=False)
    deployment.project()
    deployment.record(chain, [{}, {}], [{}])

    report = deployment.verify()

    assert report.findings == []
    assert report.verdict is Verdict.OPEN
    assert report.archived < report.entries
    assert report.events == chain.last + 1


def test_a_run_of_which_nothing_is_projected_is_verified_by_its_stream(
    deployment: Deployment,
) -> None:
    deployment.run()

    report = deployment.verify()

    assert (report.verdict, report.archived) == (Verdict.INTACT, 0)
    assert set(report.views.values()) == {None}


def test_a_run_whose_stream_was_trimmed_is_verified_by_its_archive(deployment: Deployment) -> None:
    deployment.run()
    deployment.project()
    deployment.redis("DEL", deployment.log.keys.job("job-1"))

    report = deployment.verify()

    assert (report.verdict, report.entries, report.archived) == (Verdict.INTACT, 8, 8)


def test_a_job_that_nobody_knows_is_unknown(deployment: Deployment) -> None:
    assert deployment.verify("nobody").verdict is Verdict.UNKNOWN


def test_numbers_that_a_loss_stands_for_are_reported_and_no_difference(
    deployment: Deployment,
) -> None:
    chain = Chain("job-1")
    deployment.record(chain, [START])
    line = {"type": "loss", "first": 1, "last": 9, "time": 1, "seq": 9, "v": 1, "counts": {}}
    deployment.append(chain.add_data(orjson.dumps(line) + b"\n", 9))
    deployment.record(chain, [END | {"count": 11}])
    deployment.project()

    report = deployment.verify()

    assert report.findings == []
    assert [one.lost for one in report.producers] == [[(1, 9)]]


def test_a_producer_that_was_written_off_has_sealed_its_count(deployment: Deployment) -> None:
    chain = deployment.run(is_ended=False)
    deployment.record(chain, [{"type": "producer_lost", "host": "h", "pid": 1}])
    deployment.project()

    assert deployment.verify().verdict is Verdict.INTACT


def test_a_tail_that_came_again_in_other_cuts_is_no_difference(deployment: Deployment) -> None:
    chain = deployment.run(is_ended=False)
    deployment.project()
    lost = chain.batches[4:]
    deployment.lose_tail(chain, 4)
    lines = b"".join(batch.data for batch in lost)
    deployment.append(chain.add_data(lines, lines.count(b"\n")))
    deployment.record(chain, [{}], [END | {"count": chain.last + 3}])

    for archived in (False, True):
        if archived:
            deployment.project()
        report = deployment.verify()

        assert report.findings == []


def test_a_tail_that_came_again_is_proved_when_the_stream_is_gone(
    deployment: Deployment, tmp_path: Path
) -> None:
    chain = deployment.run(is_ended=False)
    deployment.project()
    lost = chain.batches[3:]
    deployment.lose_tail(chain, 3)
    lines = [line for batch in lost for line in batch.lines()]
    for some in (lines[:3], lines[3:7], lines[7:]):
        deployment.append(chain.add_data(b"".join(line + b"\n" for line in some), len(some)))
    deployment.record(chain, [{}], [END | {"count": chain.last + 3}])
    deployment.project()
    deployment.project()
    deployment.redis("DEL", deployment.log.keys.job("job-1"))

    reports = [deployment.verify()]
    file = deployment.export()
    deployment.settings = deployment.settings.model_copy(
        update={"store_url": f"sqlite:///{tmp_path}/elsewhere"}
    )
    deployment.import_(file)
    reports.append(deployment.verify())

    assert [report.findings for report in reports] == [[], []]
    assert [report.verdict for report in reports] == [Verdict.INTACT, Verdict.INTACT]
    assert deployment.export() == file


def test_an_archived_batch_that_overlaps_the_one_before_is_judged_at_its_own_beginning(
    deployment: Deployment,
) -> None:
    chain = deployment.run(is_ended=False)
    deployment.project()
    lost = chain.batches[5:]
    deployment.lose_tail(chain, 5)
    found = [orjson.loads(line) for batch in lost for line in batch.lines()]
    deployment.record(chain, [*found, {"x": 1}, {"x": 2}])
    deployment.project()
    deployment.redis("DEL", deployment.log.keys.job("job-1"))

    assert deployment.verify().findings == []


def test_what_a_view_has_of_a_tail_that_nobody_else_has_is_found(deployment: Deployment) -> None:
    chain = deployment.run(is_ended=False)
    deployment.project()
    deployment.lose_tail(chain, 5)
    with deployment.databases.of("archive").write("test") as connection:
        connection.exec_driver_sql("DELETE FROM block")
        connection.exec_driver_sql("DELETE FROM job WHERE projection = 'archive'")

    report = deployment.verify()

    assert {finding.what for finding in report.findings} == {
        "run-state",
        "metric-history",
        "message-feed",
    }


def test_a_view_with_parked_events_and_a_retried_one_equals_a_fresh_fold(
    deployment: Deployment,
) -> None:
    chain = Chain("job-1")
    said = {"type": "message", "level": "info"}
    deployment.record(chain, [START, said | {"content": "one", "is_new": True}])
    deployment.record(chain, [said | {"content": 7}, said | {"content": "two", "is_new": True}])
    store = open_store(deployment.settings)
    parked = project_view(deployment, store, OlderMessageFeed)
    assert [event.number for event in parked] == [1, 2, 3]
    deployment.record(chain, [said | {"content": "three"}])
    project_view(deployment, store, MessageFeedView)
    store.parked.retry(MessageFeedView.name, [parked[0].no])
    project_view(deployment, store, MessageFeedView)
    deployment.record(chain, [said | {"content": "four"}])
    left = project_view(deployment, store, MessageFeedView)
    store.close()

    assert [event.number for event in left] == [2, 3]
    assert deployment.verify().findings == []


def project_view(
    deployment: Deployment, store: Store, view: type[MessageFeedView]
) -> Sequence[ParkedEvent]:
    """Project what there is, retry what is marked; return what is parked then."""
    partition = deployment.log.keys.partition("job-1")
    lease = store.leases.acquire(view.name, partition, "test", 60)
    assert lease is not None
    held = Held(view_of(view), store, lease, deployment.settings)
    held.begin(deployment.log)
    pointers = deployment.log.read_feed(partition, held.position)
    for portion in held.portions(deployment.log, pointers):
        held.commit(portion)
    held.retry()
    return store.parked.list(view.name)


def test_a_changed_batch_in_the_stream_is_found(deployment: Deployment) -> None:
    chain = deployment.run()
    deployment.project()
    changed = list(chain.batches)
    changed[3] = replace(changed[3], data=changed[3].data.replace(b"batch 2", b"batch X"))
    deployment.rewrite("job-1", changed)

    finding = first(deployment.verify())

    assert (finding.what, finding.numbers) == ("chain", (9, 12))
    assert finding.found == f"hash {changed[3].hash.hex()}"


def test_a_suffix_of_the_stream_that_was_chained_anew_differs_from_the_archive(
    deployment: Deployment,
) -> None:
    chain = deployment.run()
    deployment.project()
    changed = rechained(chain, 3)
    deployment.rewrite("job-1", changed)

    finding = first(deployment.verify())

    assert (finding.what, finding.numbers) == ("stream", (9, 9))
    assert "batch X" in finding.found
    assert "batch 2" in finding.expected


def test_a_batch_that_was_removed_from_the_stream_or_repeated_is_found(
    deployment: Deployment,
) -> None:
    chain = deployment.run()
    deployment.project()
    deployment.rewrite("job-1", chain.batches[:3] + chain.batches[4:])
    assert first(deployment.verify()).numbers == (9, 12)

    deployment.rewrite("job-1", chain.batches[:4] + chain.batches[3:7])
    assert first(deployment.verify()).numbers == (9, 12)


def test_an_entry_that_is_no_batch_is_found(deployment: Deployment) -> None:
    deployment.run()
    deployment.redis("XADD", deployment.log.keys.job("job-1"), "*", "x", "y")

    finding = first(deployment.verify())

    assert (finding.what, finding.expected) == ("entry", "a batch")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE block SET digest = x'00' WHERE start = 0", "block"),
        ("UPDATE block SET start = start + 1 WHERE start > 0", "block"),
        ("DELETE FROM block WHERE start = (SELECT max(start) FROM block)", "manifest"),
        ("DELETE FROM block WHERE start = 0", "block"),
    ],
)
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_changed_archive_is_found(deployment: Deployment, change: str, what: str) -> None:
    archiver = Archiver(deployment.settings, deployment.log)
    deployment.run()
    archiver.archive(most=2)
    archiver.close()
    with deployment.databases.of(ArchiveFold.name).write("test") as connection:
        assert connection.exec_driver_sql(change).rowcount

    assert what in {finding.what for finding in deployment.verify().findings}


@pytest.mark.parametrize(
    "manifest",
    [
        b"\0",
        b"[]",
        b"7",
        b'{"producers":[]}',
        b'{"producers":{"producer-1":1}}',
        b'{"events":"x"}',
        b'{"producers":{"producer-1":{"joins":[["a"]]}}}',
        None,
    ],
)
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_manifest_that_is_none_is_a_difference(
    deployment: Deployment, manifest: bytes | None
) -> None:
    deployment.run()
    deployment.project()
    no_joins = (
        'replace(CAST(document AS TEXT), \'"last":25\', \'"last":25,"joins":[[3,[2,"00"]]]\')'
    )
    change = no_joins if manifest is None else f"x'{manifest.hex()}'"
    with deployment.databases.of(ArchiveFold.name).write("test") as connection:
        connection.exec_driver_sql(f"UPDATE job SET document = CAST({change} AS BLOB)")

    (finding,) = deployment.verify().findings

    assert finding.what == "manifest"


_CHANGES_OF_VIEWS = pytest.mark.parametrize(
    ("projection", "change"),
    [
        ("metric-history", "DELETE FROM chunk"),
        ("message-feed", "UPDATE message SET content = 'x' WHERE number = 3"),
        ("message-feed", "UPDATE job SET document = x'00'"),
        ("run-state", "UPDATE job SET document = replace(document, 'train', 'brain')"),
        ("metric-history", "UPDATE chunk SET body = x'00'"),
        (
            "run-state",
            "UPDATE job SET document = CAST(replace(document, 'train', 'brain') AS BLOB)",
        ),
    ],
)


@_CHANGES_OF_VIEWS
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_changed_view_is_found(deployment: Deployment, projection: str, change: str) -> None:
    deployment.run()
    deployment.project()
    with deployment.databases.of(projection).write("test") as connection:
        assert connection.exec_driver_sql(change).rowcount

    (finding,) = deployment.verify().findings

    assert finding.what == projection
    assert finding.expected != finding.found


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_second_process_changes_no_report(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    deployment.run()
    deployment.project()
    expected = deployment.verify()
    forked = _let_a_process_fold(monkeypatch, is_killed=is_killed)

    report = deployment.verify()

    assert report == expected
    assert report.verdict is Verdict.INTACT
    assert forked.value == (0 if is_killed else 1)


@_CHANGES_OF_VIEWS
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_changed_view_is_found_by_a_second_process_as_well(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, projection: str, change: str
) -> None:
    deployment.run()
    deployment.project()
    with deployment.databases.of(projection).write("test") as connection:
        assert connection.exec_driver_sql(change).rowcount
    expected = deployment.verify()
    _let_a_process_fold(monkeypatch)

    assert deployment.verify() == expected


def _let_a_process_fold(monkeypatch: pytest.MonkeyPatch, *, is_killed: bool = False) -> Any:
    """Fold metric histories beside, as of a long run; return how many processes have read."""
    forked = multiprocessing.get_context("fork").Value("i", 0)
    here = os.getpid()

    def recorded(*args: Any) -> Iterator[RecordedBatch]:
        if os.getpid() != here:
            if is_killed:
                os.kill(os.getpid(), signal.SIGKILL)
            forked.value += 1
        return read_blocks(*args)

    monkeypatch.setattr(refolding, "LONG_RUN", 1)
    monkeypatch.setattr(refolding, "_can_fork", lambda: True)
    monkeypatch.setattr(refolding, "recorded", recorded)
    return forked


@pytest.mark.parametrize("change", [(b'"running"', b'"failed"'), (b'"metrics":', b'"metrics":1')])
def test_a_changed_mark_is_found(deployment: Deployment, change: tuple[bytes, bytes]) -> None:
    deployment.run()
    deployment.project()
    with deployment.databases.of(RunStateView.name).write("test") as connection:
        places = connection.execute(select(mark).order_by(mark.c.ms, mark.c.seq)).all()
        chosen = places[len(places) // 2]
        document = zstandard.decompress(bytes(chosen.document))
        changed = zstandard.compress(document.replace(*change))
        here = (mark.c.ms == chosen.ms) & (mark.c.seq == chosen.seq)
        connection.execute(update(mark).where(here).values(document=changed))

    (finding,) = deployment.verify().findings

    assert len(places) > 2
    assert finding.what == "mark"
    assert finding.position is not None
    assert finding.position[:2] == (chosen.ms, chosen.seq)


def test_a_mark_that_cannot_be_read_is_found(deployment: Deployment) -> None:
    deployment.run()
    deployment.project()
    with deployment.databases.of(RunStateView.name).write("test") as connection:
        connection.execute(update(mark).values(document=b"no frame"))

    (finding,) = deployment.verify().findings

    assert (finding.what, finding.found) == ("mark", "what cannot be read")

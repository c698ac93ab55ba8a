"""Signed checkpoints: what they vouch for, and what only they can find."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine

from consumers.audit.anchoring import anchors_of, signer_of
from consumers.audit.notary import Notary, voucher_of
from consumers.errors import NotAnchored, StoreUnavailable
from consumers.views.archive.fold import ArchiveFold
from consumers.views.archive.reader import StoredArchive
from consumers.views.opening import open_store
from synapse_stream.errors import ConfigError
from synapse_stream.ports.audit import Verdict, open_auditor
from synapse_stream.settings import Settings
from tests.support.anchoring import anchor, private_key
from tests.support.projecting import Consumers
from tests.support.servers import wait_until
from tests.support.tampering import Deployment, rechained

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.chains import Chain
    from tests.support.servers import TestServer


@pytest.fixture(params=["folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """Say where anchors are kept; `everywhere` has a test run for each kind of place."""
    if request.param == "postgres":
        with request.getfixturevalue("postgres").lend() as url:
            yield url
    elif request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/apart/anchors.db"
    else:
        yield tmp_path / "anchors"


everywhere = pytest.mark.parametrize("place", ["folder", "sqlite", "postgres"], indirect=True)


@pytest.fixture
def settings(
    server: TestServer, namespace: str, tmp_path: Path, place: Path | str
) -> Iterator[Settings]:
    """Have anchors written."""
    yield Settings(
        redis_url=server.url,
        namespace=namespace,
        data_dir=tmp_path,
        partitions=2,
        anchors=place,
        signing_key=private_key(),
        anchor_batches=3,
    )
    with server.client() as client:
        client.flushall()


@pytest.fixture
def run(deployment: Deployment) -> Chain:
    """Record a run that goes on, project and anchor it."""
    chain = deployment.run(is_ended=False)
    deployment.project()
    anchor(deployment)
    return chain


def remove(deployment: Deployment, *, signed: bool = True) -> None:
    """Remove all runs from the archive, as retention does, or as who can write the store may."""
    now_ms = time.time_ns() // 1_000_000 + 1
    with closing(open_store(deployment.settings)) as store:
        StoredArchive(store.databases).remove(
            range(deployment.settings.partitions),
            now_ms=now_ms,
            before_ms=0,
            spare_ms=now_ms,
            most_bytes=0,
            vouch=voucher_of(deployment.settings) if signed else None,
        )


def lines(deployment: Deployment) -> list[dict[str, object]]:
    anchors = anchors_of(deployment.settings)
    assert anchors is not None
    return [orjson.loads(line) for _, found in anchors.files() for line in found]


@everywhere
def test_the_consumer_anchors_runs_that_go_on_and_runs_that_pause(deployment: Deployment) -> None:
    chain = deployment.run(is_ended=False)
    with Consumers(deployment.settings) as consumers:
        consumers.catch_up()
        wait_until(lambda: [line["events"] for line in lines(deployment)][-1:] == [25])
        deployment.record(chain, [{}])
        wait_until(lambda: [line["events"] for line in lines(deployment)][-1:] == [26])

    report = deployment.verify()

    assert report.findings == []
    assert [one.anchored for one in report.producers] == [chain.last]


def test_what_came_behind_the_last_anchor_is_unanchored(deployment: Deployment, run: Chain) -> None:
    anchored = run.last
    deployment.record(run, [{}, {}])

    (producer,) = deployment.verify().producers

    assert (producer.anchored, producer.last) == (anchored, anchored + 2)


def test_without_a_key_or_anchors_all_is_unanchored_and_it_is_said(
    deployment: Deployment, run: Chain
) -> None:
    for setting, words in (("signing_key", "no key"), ("anchors", "no anchors")):
        report = deployment.verify(**{setting: None})  # type: ignore[arg-type]

        assert report.findings == []
        assert [one.anchored for one in report.producers] == [-1]
        assert any(words in note for note in report.notes)


def test_a_public_key_is_enough_to_verify(deployment: Deployment, run: Chain) -> None:
    signer = signer_of(deployment.settings)
    assert signer is not None

    report = deployment.verify(signing_key=None, verify_keys=signer.public.hex())

    assert report.findings == []
    assert [one.anchored for one in report.producers] == [run.last]


def forget_everything(deployment: Deployment, *jobs: str) -> None:
    """Take jobs out of streams and stores, as whoever may write to both can do."""
    for name in ("archive", "run-state", "metric-history", "message-feed"):
        with deployment.databases.of(name).write("test") as connection:
            for table in ("block", "chunk", "series", "message", "lane", "job"):
                connection.exec_driver_sql(f"DELETE FROM {table}")
    for job in jobs:
        deployment.redis("DEL", deployment.log.keys.job(job), deployment.log.keys.producers(job))


@everywhere
@pytest.mark.parametrize("kind", ["re-chained suffix", "cut tail", "removed run"])
def test_only_an_anchor_finds_what_was_made_consistent_everywhere(
    deployment: Deployment, run: Chain, kind: str
) -> None:
    forget_everything(deployment, "job-1")
    batches = {
        "re-chained suffix": rechained(run, 3),
        "cut tail": run.batches[:4],
        "removed run": [],
    }[kind]
    for batch in batches:
        deployment.append(batch)
    if batches:
        deployment.project()

    without = deployment.verify(anchors=None)
    report = deployment.verify()

    assert without.findings == []
    assert all(one.anchored == -1 for one in without.producers)
    assert report.verdict is Verdict.BROKEN
    assert {finding.what for finding in report.findings} == {"anchor"}
    auditor = open_auditor(deployment.settings)
    assert list(auditor.jobs()) == ["job-1"]
    auditor.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b'"events":25', b'"events":24'),
        lambda text: text.split(b"\n", 1)[1],
        lambda text: b'{"x":1}\n' + text,
        lambda text: text + b"no anchor\n",
    ],
    ids=["changed", "removed", "inserted", "added"],
)
def test_a_changed_anchor_file_is_found(deployment: Deployment, run: Chain, change: object) -> None:
    deployment.record(run, [{}])
    deployment.project()
    anchor(deployment)
    assert isinstance(deployment.settings.anchors, Path)
    (file,) = deployment.settings.anchors.iterdir()
    file.write_bytes(change(file.read_bytes()))  # type: ignore[operator]

    assert {finding.what for finding in deployment.verify().findings} == {"anchor"}


def test_an_anchor_of_another_key_is_not_believed(deployment: Deployment, run: Chain) -> None:
    report = deployment.verify(signing_key=private_key())

    assert report.verdict is Verdict.BROKEN
    assert [one.anchored for one in report.producers] == [-1]


def write_together(deployment: Deployment) -> None:
    """Append anchors from four threads, as many processes may at a take-over."""
    settings, signer = deployment.settings, signer_of(deployment.settings)
    assert signer is not None
    with closing(open_store(settings)) as store:
        manifest = store.jobs.load(ArchiveFold.name, ["job-1"])["job-1"]
    partition = deployment.log.keys.partition("job-1")

    def sign(before: bytes | None) -> Iterator[bytes]:
        return signer.lines(settings.namespace, [("job-1", manifest)], time_ms=0, before=before)

    def write() -> None:
        anchors = anchors_of(settings)
        assert anchors is not None
        for _ in range(20):
            anchors.append(settings.namespace, partition, sign)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@everywhere
def test_many_writers_make_one_chain(deployment: Deployment, run: Chain) -> None:
    write_together(deployment)

    report = deployment.verify()

    assert report.findings == []
    assert report.anchors == 81


def test_a_torn_line_is_taken_away(deployment: Deployment, run: Chain) -> None:
    assert isinstance(deployment.settings.anchors, Path)
    (file,) = deployment.settings.anchors.iterdir()
    with file.open("ab") as torn:
        torn.write(b'{"v":1,"job')

    write_together(deployment)

    report = deployment.verify()
    assert report.findings == []
    assert report.anchors == 81


@pytest.mark.parametrize("place", ["sqlite", "postgres"], indirect=True)
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE anchor SET line = (SELECT line FROM anchor ORDER BY no LIMIT 1)",
        "DELETE FROM anchor WHERE no = (SELECT min(no) FROM anchor)",
    ],
    ids=["changed", "removed"],
)
def test_a_changed_row_of_anchors_is_found(
    deployment: Deployment, run: Chain, place: str, change: str
) -> None:
    deployment.record(run, [{}])
    deployment.project()
    anchor(deployment)
    engine = create_engine(place.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        assert connection.exec_driver_sql(change).rowcount
    engine.dispose()

    assert {finding.what for finding in deployment.verify().findings} == {"anchor"}


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_a_database_that_is_away_keeps_neither_the_archive_nor_anchors(
    deployment: Deployment, run: Chain, caplog: pytest.LogCaptureFixture
) -> None:
    away = "postgresql://nobody@127.0.0.1:1/none"
    deployment.record(run, [{}])
    with Consumers(deployment.settings.model_copy(update={"anchors": away})) as consumers:
        consumers.catch_up()
        wait_until(lambda: "anchors are not written, and tried again" in caplog.text)
    with Consumers(deployment.settings):
        wait_until(lambda: lines(deployment)[-1]["events"] == run.last + 1)

    assert deployment.verify().findings == []
    with pytest.raises(StoreUnavailable):
        deployment.verify(anchors=away)


@everywhere
def test_what_is_anchored_is_not_anchored_again(deployment: Deployment, run: Chain) -> None:
    before = lines(deployment)
    anchor(deployment)

    assert lines(deployment) == before


class _Unending:
    """As store and as anchors: any job has one entry, and any anchor is taken."""

    taken = 0

    def load(self, job_ids: list[str]) -> dict[str, bytes]:
        return dict.fromkeys(job_ids, b'{"entries":1}')

    def append(self, *_: object) -> None:
        self.taken += 1


def test_who_anchors_remembers_no_more_however_many_runs_there_were(settings: Settings) -> None:
    history: Any = _Unending()
    notary = Notary(history, history, history, settings, 0)
    held = []
    tracemalloc.start()
    for batch in range(600):
        notary.note({f"job-{batch}-{number}": 3 for number in range(100)})
        if batch in {299, 599}:
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()

    assert history.taken == 600
    assert held[1] < 1.2 * held[0]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("signing_key", SecretStr("no key")),
        ("signing_key", SecretStr("@/nowhere")),
        ("verify_keys", "abc"),
    ],
)
def test_a_wrong_key_is_said_to_be(deployment: Deployment, setting: str, value: object) -> None:
    changes: dict[str, Any] = {"signing_key": None, setting: value}

    with pytest.raises(ConfigError, match=setting.upper()):
        deployment.verify(**changes)


@everywhere
def test_a_removal_is_signed_before_it_is_done(deployment: Deployment, run: Chain) -> None:
    remove(deployment)

    report = deployment.verify()

    assert (report.verdict, report.findings) == (Verdict.REMOVED, [])
    assert [line.get("removed") for line in lines(deployment)] == [None, True]
    assert lines(deployment)[-1]["entries"] == report.entries == len(run.batches)


def test_a_removal_that_nobody_signed_is_found(deployment: Deployment, run: Chain) -> None:
    remove(deployment, signed=False)

    report = deployment.verify()

    assert report.verdict is Verdict.BROKEN
    assert [finding.what for finding in report.findings] == ["anchor"]
    assert f"removal of the first {len(run.batches)} entries" in report.findings[0].expected


def test_a_removal_that_was_signed_of_less_does_not_vouch_for_more(
    deployment: Deployment, run: Chain
) -> None:
    remove(deployment)
    deployment.record(run, [{}], [{}])
    deployment.project()
    remove(deployment, signed=False)

    assert deployment.verify().verdict is Verdict.BROKEN


@pytest.mark.usefixtures("run")
def test_what_cannot_be_signed_stays(deployment: Deployment) -> None:
    folder = deployment.settings.anchors
    assert isinstance(folder, Path)
    folder.rename(folder.with_name("away"))
    folder.write_text("a file in the folder's place")

    with pytest.raises(NotAnchored, match="job 'job-1' stays in the archive"):
        remove(deployment)

    folder.unlink()
    folder.with_name("away").rename(folder)
    assert deployment.verify().verdict is Verdict.OPEN

"""Retention goes past no hold and not below the floor, and every removal is in the trail."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from consumers import views
from consumers.__main__ import parts_of
from consumers.projector.removing import Remover
from consumers.views.archive import removal
from consumers.views.archive.fold import ArchiveFold
from consumers.views.archive.reader import StoredArchive
from synapse_stream.entries.keys import TRAIL
from synapse_stream.errors import LogUnavailable
from synapse_stream.operating.acts import Acts
from synapse_stream.operating.trail import acting
from synapse_stream.reading.stream import JobStream
from tests.support import events
from tests.support.chains import Chain
from tests.support.projecting import Consumers, project
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from consumers.store.store import Store
    from synapse_stream.log.trimming import TrimLog
    from synapse_stream.settings import Settings

JOBS = [f"job-{number}" for number in range(4)]
ALL = [0, 1]


@pytest.fixture
def kept(trim_log: TrimLog, brief: Settings) -> Settings:
    """Archive four runs, the last two with a label, in a deployment that keeps none."""
    for number, job in enumerate(JOBS):
        labels = {"team": "legal" if number > 1 else "none"}
        trim_log.append(Chain(job).add(events.started(labels=labels), events.ended(count=2)))
    project(brief)
    time.sleep(0.005)  # what was reported in this millisecond would stay
    return brief.model_copy(update={"archive_bytes": 0})


def remove(store: Store, log: TrimLog, settings: Settings, **others: Any) -> list[str]:
    """Remove what may go; return what is left."""
    with closing(Remover(store, log, settings, **others)) as remover:
        remover.run(log.now_ms(), ALL)
    with closing(StoredArchive(store.databases)) as archive:
        return [job for job in JOBS if (found := archive.manifest(job)) and found.blocks]


def acts(settings: Settings, name: str) -> list[dict[str, Any]]:
    found = Acts()
    found.take(JobStream(TRAIL, settings).read())
    return [one.as_json() for one in found if one.act.act == name]


def test_what_is_held_by_name_or_label_stays_until_it_is_released(
    trim_log: TrimLog, store: Store, kept: Settings
) -> None:
    by_name: dict[str, Any] = {"job_id": "job-0", "label": None}
    by_label: dict[str, Any] = {"job_id": None, "label": "team=legal"}
    for before in (by_name, by_label):
        with acting(kept, "hold", reason="a lawsuit", before=before):
            pass

    assert remove(store, trim_log, kept) == ["job-0", "job-2", "job-3"]
    with acting(kept, "release", reason="it is over", before=by_label):
        pass
    assert remove(store, trim_log, kept) == ["job-0"]
    with acting(kept, "release", reason="it is over", before=by_name):
        pass
    assert remove(store, trim_log, kept) == []

    told = acts(kept, "remove")
    assert [act["jobs"] for act in told] == [["job-1"], ["job-2", "job-3"], ["job-0"]]
    assert [act["after"]["removed"] for act in told] == [1, 2, 1]
    assert told[0]["before"]["archive_bytes"] == 0


def test_a_release_that_is_not_known_to_be_done_releases_nothing(
    trim_log: TrimLog, store: Store, kept: Settings
) -> None:
    held = {"job_id": "job-0", "label": None}
    with acting(kept, "hold", before=held):
        pass

    def fail() -> None:
        with acting(kept, "release", before=held):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert remove(store, trim_log, kept) == ["job-0"]


def test_a_hold_that_comes_between_counts(
    trim_log: TrimLog, store: Store, kept: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a hold that is placed after the runs were looked up, and before the act was written."""
    look = removal.expired

    def looked_up(*arguments: Any, **limits: Any) -> Any:
        found = look(*arguments, **limits)
        remover._free(found)
        with acting(kept, "hold", before={"job_id": "job-1", "label": None}):
            pass
        return found

    remover = Remover(store, trim_log, kept)
    monkeypatch.setattr(removal, "expired", looked_up)
    with closing(remover):
        remover.run(trim_log.now_ms(), ALL)

    with closing(StoredArchive(store.databases)) as archive:
        manifest = archive.manifest("job-1")
    assert manifest is not None
    assert manifest.blocks


def test_nothing_goes_below_the_floor(trim_log: TrimLog, store: Store, kept: Settings) -> None:
    floor = {"archive_floor_seconds": 3600.0, "archive_seconds": 0.001}
    assert remove(store, trim_log, kept.model_copy(update=floor)) == JOBS
    assert remove(store, trim_log, kept) == []


def test_a_run_whose_labels_are_not_known_stays_while_labels_decide(
    trim_log: TrimLog, store: Store, kept: Settings
) -> None:
    trim_log.append(Chain("job-9").add(events.started(), events.ended(count=2)))
    with Consumers(kept, [ArchiveFold]) as consumers:
        consumers.catch_up()
    time.sleep(0.005)
    with acting(kept, "hold", before={"job_id": None, "label": "team=legal"}):
        pass
    remove(store, trim_log, kept)

    with closing(StoredArchive(store.databases)) as archive:
        manifest = archive.manifest("job-9")
    assert manifest is not None
    assert manifest.blocks


def test_what_the_trail_cannot_tell_stays(
    trim_log: TrimLog, store: Store, kept: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise LogUnavailable("the disk is full", is_refusal=True)

    monkeypatch.setattr("synapse_stream.operating.trail.FeedLog.append", refuse)
    with pytest.raises(LogUnavailable):
        remove(store, trim_log, kept)
    monkeypatch.undo()

    with closing(StoredArchive(store.databases)) as archive:
        assert all((one := archive.manifest(job)) and one.blocks for job in JOBS)


def test_the_trail_itself_is_never_removed(trim_log: TrimLog, store: Store, kept: Settings) -> None:
    with acting(kept, "an act"):
        pass
    project(kept)
    time.sleep(0.005)
    remove(store, trim_log, kept)

    with closing(StoredArchive(store.databases)) as archive:
        manifest = archive.manifest(TRAIL)
    assert manifest is not None
    assert manifest.blocks


def test_other_settings_of_retention_are_an_act_once(
    trim_log: TrimLog, store: Store, kept: Settings
) -> None:
    changed = kept.model_copy(update={"archive_bytes": None, "archive_seconds": 7.0})
    for settings in (kept, kept, changed, changed.model_copy(update={"archive_seconds": None})):
        remove(store, trim_log, settings)

    assert [
        (act["before"]["was"]["archive_bytes"], act["before"]["now"]["archive_seconds"])
        for act in acts(kept, "settings")
    ] == [(None, None), (0, 7.0), (None, None)]


def test_the_consumer_of_the_archive_removes_so(store: Store, kept: Settings) -> None:
    with acting(kept, "hold", before={"job_id": "job-0", "label": None}):
        pass
    stop = threading.Event()
    parts = parts_of(views.find("archive"), store, kept, "me")
    threads = [threading.Thread(target=part.run, args=(stop,)) for _, part in parts]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: bool(acts(kept, "remove")) and acts(kept, "remove")[-1]["outcome"])
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert sorted(job for act in acts(kept, "remove") for job in act["jobs"]) == JOBS[1:]
    assert {act["outcome"] for act in acts(kept, "remove")} == {"done"}

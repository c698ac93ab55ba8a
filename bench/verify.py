"""What verifying carries, against decoding alone: of one archived run, whose stream is trimmed."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from bench.consuming import catch_up
from bench.figures import Bound, Row
from bench.fresh import in_fresh_process
from bench.streams import metrics, streams
from consumers import views
from consumers.folding.fold import fold_job
from consumers.views.archive.fold import ArchiveFold
from consumers.views.archive.raw import RawArchive
from consumers.views.opening import open_databases
from synapse_stream.entries.batch import decode_events, unpack
from synapse_stream.entries.entry import recorded_batch
from synapse_stream.log.feeds import FeedLog
from synapse_stream.ports.audit import Verdict, open_auditor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.stage import Stage
    from synapse_stream import Settings
    from synapse_stream.entries.entry import RecordedBatch

JOB = "run-0"
BATCH = 100


def rows(stage: Stage) -> Iterator[Row]:
    """Folds of an archived run, then verifying it without views and with them."""
    events = 5 * stage.scale.events
    bound = Bound(0.4, on="ratio", is_floor=True)
    with streams(stage, 1, events, BATCH, metrics) as filled:
        filled.write()
        settings = filled.settings.model_copy(
            update={"store_url": f"sqlite:///{stage.root}/verify"}
        )
        catch_up(settings, ArchiveFold.name, filled.ends)
        with closing(FeedLog.open(settings)) as log, stage.redis() as redis:
            redis.delete(log.keys.job(JOB))
            for name in views.folded():
                what = f"fold of {events:,} archived events of 3 metrics, {name}"
                yield _row(stage, settings, what, events, bound, "fold", name)
            what = f"verify of {events:,} archived events: chains, numbers, archive"
            yield _row(stage, settings, what, events, bound, "verify")
    with streams(stage, 1, events, BATCH, metrics) as filled:
        filled.write()
        settings = filled.settings.model_copy(update={"store_url": f"sqlite:///{stage.root}/whole"})
        for name in (views.RECORD, *views.folded()):
            catch_up(settings, name, filled.ends)
        with closing(FeedLog.open(settings)) as log, stage.redis() as redis:
            redis.delete(log.keys.job(JOB))
        what = f"verify of {events:,} archived events, with three views"
        yield _row(stage, settings, what, events, bound, "verify")


def decode(settings: Settings, events: int) -> float:
    """Return the seconds that only reading and decoding takes."""
    start = time.perf_counter()
    found = sum(len(decode_events(e.batch.data)) for e in _entries(settings) if e.batch)
    seconds = time.perf_counter() - start
    assert found == events, f"{found} of {events} events are archived"
    return seconds


def fold(settings: Settings, name: str) -> float:
    """Return the seconds that folding the run into a view takes."""
    start = time.perf_counter()
    fold_job(views.find(name).rules, JOB, _entries(settings)).rows()
    return time.perf_counter() - start


def verify(settings: Settings) -> float:
    """Return the seconds that verifying takes."""
    start = time.perf_counter()
    with closing(open_auditor(settings)) as auditor:
        report = auditor.verify(JOB)
    seconds = time.perf_counter() - start
    assert report.verdict is Verdict.OPEN, report.findings
    return seconds


def _row(
    stage: Stage,
    settings: Settings,
    what: str,
    events: int,
    bound: Bound,
    how: str,
    name: str = "",
) -> Row:
    ours, bare = [], []
    for _ in range(max(1, stage.scale.rounds // 2)):
        bare.append(events / in_fresh_process(decode, settings, events))
        took = (
            in_fresh_process(fold, settings, name)
            if how == "fold"
            else in_fresh_process(verify, settings)
        )
        ours.append(events / took)
    return Row(what, "events/s", ours, bare, "only reading and decoding the archive", bound)


def _entries(settings: Settings) -> Iterator[RecordedBatch]:
    """Yield the run's entries, as quickly as blocks can be read."""
    with closing(open_databases(settings)) as databases:
        for block in RawArchive(databases).blocks(JOB):
            for entry in block.content if isinstance(block.content, list) else ():
                yield recorded_batch(JOB, unpack(JOB, entry))

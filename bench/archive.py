"""What the archive carries: catching up against only reading, and how many bytes an event takes."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from bench.consuming import catch_up
from bench.figures import Bound, Row
from bench.fresh import in_fresh_process
from bench.stage import STEP, Stage, metric_values
from bench.streams import metrics, read_through, streams
from consumers.views.archive.fold import ArchiveFold
from consumers.views.opening import open_archive, open_store
from examples.train_digits.plugin import TrainDigits
from synapse_stream import Settings, open_run, run_action
from synapse_stream.log.feeds import FeedLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.streams import Ends

JOBS = 10
BATCH = 100

_folders = count(1)


def rows(stage: Stage) -> Iterator[Row]:
    """Catching up, then the bytes of two runs once they rest."""
    yield from _catching_up(stage)
    yield _bytes_of_full_speed(stage)
    yield _bytes_of_digits(stage)


def read(settings: Settings, ends: Ends) -> float:
    """Return the seconds that only reading takes: feeds and batches, no event decoded."""
    return read_through(settings, ends, FeedLog.read_entries)


def fetch(settings: Settings, ends: Ends) -> float:
    """Return the seconds that only fetching takes: feeds and entries, no batch unpacked."""
    return read_through(settings, ends, FeedLog.read_pointed)


def _catching_up(stage: Stage) -> Iterator[Row]:
    events = 5 * stage.scale.events
    ours, bare, fetched = [], [], []
    with streams(stage, JOBS, events, BATCH, metrics) as filled:
        filled.write()
        for _ in range(stage.scale.rounds):
            bare.append(events / in_fresh_process(read, filled.settings, filled.ends))
            fetched.append(events / in_fresh_process(fetch, filled.settings, filled.ends))
            own = filled.settings.model_copy(update={"store_url": _folder(stage)})
            ours.append(events / catch_up(own, ArchiveFold.name, filled.ends))
    what = f"archive, catching up on {events:,} events of 3 metrics"
    bound = Bound(0.7, on="ratio", is_floor=True)
    yield Row(what, "events/s", ours, bare, "only reading the batches", bound)
    yield Row(what, "events/s", ours, fetched, "only fetching, nothing unpacked")


def _bytes_of_full_speed(stage: Stage) -> Row:
    sizes = []
    for _ in range(max(1, stage.scale.rounds // 2)):
        with stage.run(namespace=(name := f"archive{next(_folders)}")) as context:
            for values in metric_values(stage.scale.events):
                context.set_metrics(values, STEP)
        sizes.append(_bytes_an_event(stage, stage.settings(namespace=name)))
    what = f"archived, compacted: {stage.scale.events:,} events of 3 metrics at full speed"
    return Row(what, "bytes an event", sizes, bound=Bound(25, on="ours"))


def _bytes_of_digits(stage: Stage) -> Row:
    settings = stage.settings(namespace=f"archive{next(_folders)}")
    with open_run("digits", env={}, settings=settings) as context:
        run_action(TrainDigits, {"epochs": 10}, context)
    what = "archived, compacted: the digits run, batches as they came"
    size = _bytes_an_event(stage, settings)
    return Row(what, "bytes an event", [size], bound=Bound(60, on="ours"))


def _bytes_an_event(stage: Stage, settings: Settings) -> float:
    """Archive all jobs of a namespace, merge their blocks, return the size of the bodies."""
    own = settings.model_copy(update={"store_url": _folder(stage)})
    log = FeedLog.open(own)
    ends = {p: end for p in range(own.partitions) if (end := log.feed_last(p)) > (0, 0)}
    log.close()
    catch_up(own, ArchiveFold.name, ends)
    store, archive = open_store(own), open_archive(own)
    for partition in ends:
        lease = store.leases.acquire(ArchiveFold.name, partition, "bench", 60)
        assert lease is not None
        while store.compact(lease, rested_seconds=0):
            pass
    manifests = [manifest for job in archive.jobs() if (manifest := archive.manifest(job))]
    store.close()
    archive.close()
    return sum(m.stored_bytes for m in manifests) / sum(m.events for m in manifests)


def _folder(stage: Stage) -> str:
    return f"sqlite:///{stage.root}/archive-{next(_folders)}"

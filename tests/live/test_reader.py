"""The thread that reads the feeds: after any fault it looks again, also where it was."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from consumers.api.live.channel import Channel
from consumers.api.live.reader import FeedReader
from consumers.api.live.tracker import Tracker
from consumers.api.sources import Sources
from synapse_stream.ports.views.quotas import NOTHING
from tests.support import events
from tests.support.chains import Chain
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from synapse_stream.entries.entry import FeedPointer
    from synapse_stream.settings import Settings
    from tests.support.servers import TestServer


class Faulty:
    """What a reader calls: it remembers what was named, and fails once, after `before`."""

    def __init__(self) -> None:
        self.named: list[str] = []
        self.before: Callable[[], object] | None = None

    def post(self, call: Callable[[], object]) -> None:
        call()

    def note(self, _partition: int, pointers: Sequence[FeedPointer]) -> None:
        self.named += [pointer.job_id for pointer in pointers]
        before, self.before = self.before, None
        if before is not None:
            before()
            raise RuntimeError


@pytest.fixture
def sources(settings: Settings) -> Iterator[Sources]:
    with closing(Sources(settings.model_copy(update={"partitions": 1}))) as opened:
        yield opened


@pytest.fixture
def faulty() -> Faulty:
    return Faulty()


@pytest.fixture
def reader(sources: Sources, faulty: Faulty) -> Iterator[FeedReader]:
    made = FeedReader(
        sources, post=faulty.post, note=faulty.note, pace=lambda: 0.0, drop=Channel.close
    )
    made.start()
    yield made
    made.stop()


def test_feeds_are_read_again_in_which_older_pointers_may_be_new(
    reader: FeedReader, sources: Sources, faulty: Faulty, server: TestServer
) -> None:
    """A server that lost its tail, and whose clock went back, gives such ids."""

    def lose_tail() -> None:
        feed = sources.log.keys.feed(0)
        with server.client() as client:
            ((last, _),) = client.xrevrange(feed, count=1)
            client.delete(feed)
            ms = int(last.partition(b"-")[0]) - 1_000
            client.xadd(feed, {"j": "after", "n": 1}, id=f"{ms}-0")

    faulty.before = lose_tail
    sources.log.append(Chain("before").add(events.started()))

    wait_until(lambda: "after" in faulty.named)


def test_watched_jobs_are_looked_at_whether_a_feed_names_them_or_not(
    reader: FeedReader, sources: Sources, faulty: Faulty, server: TestServer
) -> None:
    chain = Chain("watched")
    sources.log.append(chain.add(events.started()))
    tracker = Tracker.load("watched", sources.store, sources.reader, beside=NOTHING, rewind_ms=0)
    snapshot = tracker.snapshot(sources.clock.now_ms(), sources.clock.judging_ms())
    assert snapshot is not None
    channel = Channel(tracker, snapshot)
    reader.watch(channel)
    sources.log.append(chain.add(events.message("seen")))
    wait_until(lambda: channel.following)
    seen = channel.following

    def report_unnamed() -> None:
        sources.log.append(chain.add(events.message("unseen")))
        with server.client() as client:
            client.delete(sources.log.keys.feed(0))

    faulty.before = report_unnamed
    sources.log.append(Chain("another").add(events.started()))

    wait_until(lambda: channel.following > seen)

"""Projections that run in threads of the test's process, on a real server and a real store."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

from consumers import views
from consumers.__main__ import parts_of
from consumers.folding.port import CannotApply
from consumers.projector.loop import Projector
from consumers.projector.partition import Held
from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.metric_history.fold import MetricHistoryView
from consumers.views.opening import open_store
from consumers.views.run_state.fold import RunStateView
from synapse_stream.log.feeds import FeedLog
from synapse_stream.ports.job_view import JobView
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumers.store.store import Store
    from consumers.views.port import View
    from synapse_stream.ports.job_view import Delivery
    from synapse_stream.settings import Settings


class Consumers:
    """One projector a view, from `with` to its end; views are given by their rules."""

    def __init__(
        self,
        settings: Settings,
        rules: Iterable[type[Any]] | None = None,
        *,
        lease_seconds: float = 0.3,  # balanced, and so retried, every 0.1 s
    ) -> None:
        self.settings = settings.model_copy(update={"lease_seconds": lease_seconds})
        self._views = all_views() if rules is None else list(map(view_of, rules))
        self._store = open_store(self.settings)
        self._log = FeedLog.open(self.settings)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._projector(view).run, args=(self._stop,))
            for view in self._views
        ]

    def catch_up(self) -> None:
        """Return when the views hold all that the feeds hold now."""
        wait_for_views(self._store, self._log, self.settings, self._views)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._log.close()
        self._store.close()

    def _projector(self, view: View) -> Projector:
        """Return what drives a view in a consumer process, without what trims."""
        parts = dict(parts_of(view, self._store, self.settings, f"test-{view.name}"))
        projector = parts[view.name]
        assert isinstance(projector, Projector)
        return projector


def wait_for_views(store: Store, log: FeedLog, settings: Settings, chosen: Iterable[View]) -> None:
    """Return when views hold all that the feeds hold now."""
    feeds = range(settings.partitions)
    ends = {feed: last for feed in feeds if (last := log.feed_last(feed)) > (0, 0)}

    def have_all(projection: str) -> bool:
        reached = {c.partition: c.position for c in store.leases.checkpoints(projection)}
        return all(reached.get(feed, (0, 0)) >= end for feed, end in ends.items())

    for view in chosen:
        wait_until(partial(have_all, view.name))


def project(settings: Settings) -> None:
    """Bring all views up to date, in this thread."""
    store, log = open_store(settings), FeedLog.open(settings)
    feeds = [feed for feed in range(settings.partitions) if log.feed_last(feed) > (0, 0)]
    for view in all_views():
        for feed in feeds:
            lease = store.leases.acquire(view.name, feed, "test", settings.lease_seconds)
            assert lease is not None
            held = Held(view, store, lease, settings)
            held.begin(log)
            while pointers := log.read_feed(feed, held.position):
                for portion in held.portions(log, pointers):
                    held.commit(portion)
            store.leases.release(lease)
    log.close()
    store.close()


def all_views() -> list[View]:
    """Return the views, and the archive last."""
    return [views.find(name) for name in views.names()]


def view_of(rules: type[Any]) -> View:
    """Return the view of these rules, or of others that have the same name."""
    return replace(views.find(rules.name), rules=rules)


class Older(JobView):
    """A view of the version before: events marked with `is_new` it cannot apply yet."""

    knows_all: ClassVar[bool] = False

    def apply(self, delivery: Delivery) -> None:
        for index, event in enumerate(delivery.events):
            if event.get("is_new") and not self.knows_all:
                if index:
                    known = replace(delivery, events=delivery.events[:index])
                    super().apply(known)  # type: ignore[safe-super]
                raise CannotApply(index, f"{event['type']} is not known yet")
        super().apply(delivery)  # type: ignore[safe-super]


class OlderRunState(Older, RunStateView):
    """Run state as it was."""


class OlderMetricHistory(Older, MetricHistoryView):
    """Metric history as it was."""


class OlderMessageFeed(Older, MessageFeedView):
    """Message feed as it was."""

"""The numbers of each projection: what is committed, parked, damaged, and how far it is behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from consumers.errors import StoreUnavailable
from synapse_stream.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prometheus_client import Metric

    from consumers.store.store import Store
    from synapse_stream.operating.lag import Lag

_STORED = {
    "parked_events": "Events that could not be folded and wait for an operator.",
    "damaged_jobs": "Jobs of which something that is stored cannot be read.",
    "readable": "1 while the database of the projection can be read.",
}
_LAGS = {
    "lag_seconds": "Age of the oldest event that is not in the view.",
    "lag_events": "Events that are not in the view, as far as they were counted.",
    "unowned_partitions": "Partitions that no consumer projects.",
    "gap_partitions": "Partitions that stand still: what follows their checkpoint was trimmed.",
}


class Numbers:
    """Numbers by projection; what could not be asked is left out."""

    def __init__(self) -> None:
        self._commits = CounterMetricFamily(
            "synapse_stream_commits", "Commits of a projection.", labels=["projection"]
        )
        self._gauges = {
            name: GaugeMetricFamily(f"synapse_stream_{name}", said, labels=["projection"])
            for name, said in (_STORED | _LAGS).items()
        }
        self.readable: list[str] = []
        """The projections whose databases could be read."""

    @property
    def metrics(self) -> Sequence[Metric]:
        """All numbers that were taken."""
        return [self._commits, *self._gauges.values()]

    def take_stored(self, projections: Sequence[str], store: Store) -> None:
        """Take what the databases tell, of each that can be read.

        Raises:
            StoreUnavailable, ConfigError: one cannot be; the others are taken.
        """
        faults = []
        for projection in projections:
            values = {"readable": 0}
            try:
                commits = sum(one.commits for one in store.leases.checkpoints(projection))
                values["parked_events"] = store.parked.count(projection)
                values["damaged_jobs"] = store.damage.count(projection)
                values["readable"] = 1
                self._commits.add_metric([projection], commits)
                self.readable.append(projection)
            except (StoreUnavailable, ConfigError) as error:
                faults.append(error)
            self._add(projection, values)
        if faults:
            raise faults[0]

    def take_lag(self, projection: str, lags: Sequence[Lag]) -> None:
        """Take how far a projection is behind."""
        values = {
            "lag_seconds": max((lag.seconds for lag in lags), default=0.0),
            "lag_events": sum(lag.events for lag in lags),
            "unowned_partitions": sum(lag.owner is None for lag in lags),
            "gap_partitions": sum(lag.has_gap for lag in lags),
        }
        self._add(projection, values)

    def _add(self, projection: str, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._gauges[name].add_metric([projection], value)


def shed(count: int) -> Metric:
    """Return how many events were given up."""
    said = "Events that producers gave up, as a spool was full or a quota used up."
    return GaugeMetricFamily("synapse_stream_shed_events", said, value=count)


def refused_anchors(reason: str | None) -> Metric:
    """Return whether no anchors are signed, for they are not what they were."""
    said = "1 while the log of anchors is not what is remembered of it: nothing is signed."
    return GaugeMetricFamily("synapse_stream_refused_anchors", said, value=reason is not None)

"""Removal of archived runs, as the settings have it: written down in the trail, past no hold."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from consumers.views import RECORD
from consumers.views.archive import removal
from consumers.views.archive.reader import StoredArchive
from consumers.views.reader import StoredViews
from synapse_stream.operating.acts import TrailReader
from synapse_stream.operating.holds import Holds
from synapse_stream.operating.trail import Trail
from synapse_stream.reading.job_reader import JobReader
from synapse_stream.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from consumers.store.store import Store
    from synapse_stream.log.event_log import EventLog

_logger = logging.getLogger("synapse_stream.consumers")

SETTINGS = ("archive_seconds", "archive_bytes", "archive_floor_seconds")
"""What removal goes by."""

_RUNS_AN_ACT = 100
_CHANGED = "settings"
_REMOVED = "remove"


class Remover:
    """Removes what the archive need not keep. Not thread-safe."""

    def __init__(
        self,
        store: Store,
        log: EventLog,
        settings: Settings,
        vouch: Callable[[int, str, int], bool] = lambda *_: True,
    ) -> None:
        """Remove from `store`, read the trail by `log`; `vouch` tells what is signed to go."""
        self._settings = settings
        self._database = store.databases.of(RECORD)
        archive = StoredArchive(store.databases)
        self._views = StoredViews(store.databases)
        self._trail = Trail.open(settings)
        self._reader = TrailReader(JobReader(log, lambda: archive))
        self._vouch = vouch
        self._is_told = False

    def run(self, now_ms: int, partitions: list[int]) -> bool:
        """Remove the runs of some partitions that the settings do not have the archive keep.

        Returns:
            False when some wait for being signed: they may soon go.

        Raises:
            LogUnavailable, StoreUnavailable: what is not removed by then stays until the next time.
        """
        self._tell_settings()
        settings = self._settings
        seconds, most_bytes = settings.archive_seconds, settings.archive_bytes
        if seconds is None and most_bytes is None:
            return True
        spared = (settings.hot_seconds, settings.rewind_seconds, settings.archive_floor_seconds)
        expired = removal.expired(
            self._database,
            partitions,
            before_ms=0 if seconds is None else now_ms - int(seconds * 1000),
            spare_ms=now_ms - int(max(spared) * 1000),
            most_bytes=most_bytes,
        )
        signed = [(run, self._may_go(run)) for run in self._free(expired)]
        ready = [run for run, may_go in signed if may_go]
        for begin in range(0, len(ready), _RUNS_AN_ACT):
            self._remove(ready[begin : begin + _RUNS_AN_ACT], now_ms)
        return all(may_go is not False for _, may_go in signed)

    def close(self) -> None:
        """Say no more to the trail."""
        self._trail.close()

    def _remove(self, runs: list[removal.Expired], now_ms: int) -> None:
        jobs, before = [run.job_id for run in runs], _limits(self._settings)
        with self._trail.act(_REMOVED, jobs=jobs, before=before) as act:
            free = self._free(runs)  # anew: a hold that was written before this act counts
            act.after["held"] = [run.job_id for run in runs if run not in free]
            act.after["removed"] = 0
            for run in free:
                is_removed = removal.remove(self._database, run, now_ms=now_ms, vouch=self._vouch)
                act.after["removed"] += is_removed
        said = "%d runs were removed from the archive, as the settings have it"
        _logger.warning(said, act.after["removed"])

    def _may_go(self, run: removal.Expired) -> bool | None:
        return removal.may_go(self._database, run, self._vouch)

    def _free(self, runs: Iterable[removal.Expired]) -> list[removal.Expired]:
        """Return the runs that no hold is on. One whose labels are not known may be held."""
        found = list(runs)
        holds = Holds(self._reader.acts()) if found else Holds(())
        return [run for run in found if not holds.may_be_on(run.job_id, self._views.state)]

    def _tell_settings(self) -> None:
        """Write down what removal goes by, if it is not what it went by before."""
        if self._is_told:
            return
        told = [one.act for one in self._reader.acts() if one.act.act == _CHANGED]
        before = told[-1].before["now"] if told else _limits(Settings())
        now = _limits(self._settings)
        if now != before:
            with self._trail.act(_CHANGED, before={"was": before, "now": now}):
                pass
        self._is_told = True


def _limits(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in SETTINGS}

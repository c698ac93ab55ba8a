"""The views of a deployment, as its API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from synapse_stream.events.tags import restore
from synapse_stream.ports.filters.search import Hit, Hits
from synapse_stream.ports.views import Axis, MessagePage
from synapse_stream.remote import shapes
from synapse_stream.remote.api import Api
from synapse_stream.remote.connection import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synapse_stream.entries.position import Position
    from synapse_stream.models import RunStatus
    from synapse_stream.ports.filters.fields import Field
    from synapse_stream.ports.filters.search import Group, Wanted
    from synapse_stream.ports.views import (
        Overview,
        RunState,
        Series,
        SeriesKey,
        SeriesSummary,
        ViewState,
    )
    from synapse_stream.settings import Settings

_PAGE = 1000
_WRONG_VALUE = 422
_PATHS = (("message-feed", "messages"), ("metric-history", "series"))
"""Of views that have a path of their own; another one's job is asked for."""


class RemoteViews:
    """Its methods promise what those of `ports.views.Views` do.

    Each raises LogUnavailable when the API did not answer, or refused.
    """

    def __init__(self, settings: Settings) -> None:
        """Raise ConfigError when the settings cannot be used; the API is asked later."""
        self._api = Api(settings)

    def jobs(
        self,
        *,
        status: RunStatus | None = None,
        action: str | None = None,
        text: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[RunState]:
        """Return jobs, the newest first.

        Raises:
            ValueError: there is no job `after`.
        """
        wanted = {"status": status, "action": action, "q": text, "after": after, "limit": limit}
        try:
            page = self._api.show("listing jobs", "jobs", query={**wanted, "whole": "true"})
        except Refused as error:
            if error.status == _WRONG_VALUE:
                raise ValueError(error.reason) from error
            raise
        with self._api.understood():
            return [shapes.run_state(one) for one in (page or {})["jobs"]]

    def find(self, wanted: Wanted, *, limit: int = 100, after: str | None = None) -> Hits:
        """Find runs, the newest first, or in the order of `wanted.sort`.

        Times before now are by the API's clock.

        Raises:
            ValueError: there is no job `after`.
        """
        asked = {"filter": wanted.text, "sort": wanted.order, "columns": wanted.named or "job"}
        query = {**asked, "after": after, "limit": limit, "whole": "true"}
        try:
            page = self._api.show("finding runs", "jobs", query=query) or {"jobs": [], "next": None}
        except Refused as error:
            if error.status == _WRONG_VALUE:
                raise ValueError(error.reason) from error
            raise
        with self._api.understood():
            hits = [Hit(shapes.run_state(one), restore(one["values"])) for one in page["jobs"]]
            return Hits(hits, page["next"])

    def groups(self, wanted: Wanted, by: Field, *, limit: int = 100) -> list[Group]:
        """Return the groups by a field that most of the wanted runs are in, those of most first."""
        asked = {"by": str(by), "filter": wanted.text, "columns": wanted.named, "limit": limit}
        try:
            found = self._api.show("grouping runs", "groups", query=asked) or {"groups": []}
        except Refused as error:
            if error.status == _WRONG_VALUE:
                raise ValueError(error.reason) from error
            raise
        with self._api.understood():
            return [shapes.group(one) for one in found["groups"]]

    def state(self, job_id: str, at: Position | int | None = None) -> RunState | None:
        """Return a job's run state, now or at a position or time in µs; None if it has none."""
        moment = None if at is None else str(at)
        doing = f"reading the state of job {job_id!r}"
        found = self._api.show(doing, "jobs", job_id, query={"at": moment})
        with self._api.understood():
            return None if found is None else shapes.run_state(found)

    def position(self, projection: str, job_id: str) -> Position | None:
        """Return where the last event stands that a view has taken in; None for an unknown job."""
        path = dict(_PATHS).get(projection)
        doing = f"asking how far the {projection} of job {job_id!r} is"
        below, query = ((path,), {"limit": 1}) if path else ((), None)
        found = self._api.show(doing, "jobs", job_id, *below, query=query)
        with self._api.understood():
            return None if found is None else shapes.position(found["position"])

    def series(
        self,
        job_id: str,
        *,
        name: str | None = None,
        step: str | None = None,
        rank: int | None = None,
        attempt: int | None = None,
        after: SeriesKey | None = None,
        limit: int | None = None,
    ) -> list[SeriesSummary]:
        """Return the job's series that match, by key."""
        wanted = {"name": name, "step": step, "rank": rank, "attempt": attempt}
        following = None if after is None else orjson.dumps(list(after)).decode()
        doing = f"listing the series of job {job_id!r}"
        found: list[SeriesSummary] = []
        while True:
            size = _PAGE if limit is None else min(_PAGE, limit - len(found))
            place = {"after": following, "limit": size}
            page = self._api.show(doing, "jobs", job_id, "series", query={**wanted, **place})
            if page is None:
                return found
            with self._api.understood():
                found += map(shapes.series_summary, page["series"])
                following = page["next"]
            if following is None or len(found) == limit:
                return found

    def points(self, job_id: str, key: SeriesKey, *, until: Position | None = None) -> Series:
        """Return every point of a series up to and with `until`; an unknown series is empty."""
        found = self._course(job_id, key, {"points": 0}, until)
        with self._api.understood():
            return shapes.series(key, found)

    def courses(
        self,
        job_id: str,
        *,
        name: str | None = None,
        step: str | None = None,
        rank: int | None = None,
        attempt: int | None = None,
    ) -> Iterator[Series]:
        """Yield the job's series that match, by key, each with every point."""
        wanted = {"name": name, "step": step, "rank": rank, "points": 0}
        number = "all" if attempt is None else attempt
        doing, following = f"reading the metrics of job {job_id!r}", None
        while True:
            query = {**wanted, "attempt": number, "after": following}
            page = self._api.show(doing, "jobs", job_id, "metrics", query=query)
            if page is None:
                return
            with self._api.understood():
                found = [shapes.series(shapes.series_key(one), one) for one in page["series"]]
                following = page["next"]
            yield from found
            if following is None:
                return

    def pieces(
        self, job_id: str, key: SeriesKey, *, until: Position | None = None
    ) -> Iterator[Series]:
        """Yield the points of a series, as one piece."""
        whole = self.points(job_id, key, until=until)
        if len(whole):
            yield whole

    def overview(
        self,
        job_id: str,
        key: SeriesKey,
        *,
        buckets: int = 1000,
        axis: Axis = Axis.INDEX,
        start: float | None = None,
        stop: float | None = None,
        until: Position | None = None,
    ) -> Overview:
        """Return a series from `start` to `stop` of the axis, in at most so many buckets."""
        view = {"points": 2 * buckets, "x": axis.value, "start": start, "stop": stop}
        found = self._course(job_id, key, view, until)
        with self._api.understood():
            return shapes.overview(key, axis, found)

    def messages(
        self,
        job_id: str,
        *,
        kinds: Sequence[str] = ("message",),
        levels: Sequence[str] | None = None,
        step: str | None = None,
        text: str | None = None,
        after: Position | None = None,
        before: Position | None = None,
        until: Position | None = None,
        limit: int = 100,
        language: str | None = None,
    ) -> MessagePage:
        """Return the first messages behind `after`; without it the last ones."""
        places = {"after": after, "before": before, "until": until}
        wanted = {
            "kind": ",".join(kinds),
            "level": None if levels is None else ",".join(levels),
            "step": step,
            "text": text,
            "lang": language,
            "limit": limit,
            **{name: None if place is None else str(place) for name, place in places.items()},
        }
        doing = f"reading the messages of job {job_id!r}"
        found = self._api.show(doing, "jobs", job_id, "messages", query=wanted)
        if found is None:
            return MessagePage([], has_more=False)
        with self._api.understood():
            return MessagePage(list(map(shapes.message, found["messages"])), found["has_more"])

    def view(
        self,
        name: str,
        job_id: str,
        *,
        at: Position | int | None = None,
        after: int = -1,
        limit: int = 100,
    ) -> ViewState | None:
        """Return what the view of another package has of a job, now or at a position or time in µs.

        Raises:
            LookupError: there is no such view.
        """
        query = {"at": None if at is None else str(at), "after": after, "limit": limit}
        doing = f"reading {name} of job {job_id!r}"
        found = self._api.show(doing, "jobs", job_id, "views", name, query=query)
        if found is None:
            self._check_known(name)
            return None
        with self._api.understood():
            return shapes.view_state(found)

    def close(self) -> None:
        """Disconnect."""
        self._api.close()

    def _check_known(self, name: str) -> None:
        listed = self._api.show("listing views", "views")
        with self._api.understood():
            faults = {one["name"]: one["fault"] for one in (listed or {})["views"]}
        if name not in faults or faults[name]:
            there = ", ".join(one for one, fault in faults.items() if not fault) or "none"
            msg = f"there is no view {name!r} of another package; there is {there}"
            raise LookupError(faults.get(name) or msg)

    def _course(
        self, job_id: str, key: SeriesKey, view: dict[str, Any], until: Position | None
    ) -> dict[str, Any] | None:
        """Return one series as the API draws it; None where there is no such series."""
        named = {**key._asdict(), "step": key.step or ""}  # no step is the empty one
        place = {"until": None if until is None else str(until)}
        doing = f"reading metric {key.name!r} of job {job_id!r}"
        query = {**named, **view, **place}
        found = self._api.show(doing, "jobs", job_id, "metrics", query=query)
        with self._api.understood():
            drawn = [] if found is None else found["series"]
            return next((one for one in drawn if shapes.series_key(one) == key), None)

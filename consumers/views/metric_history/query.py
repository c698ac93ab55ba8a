"""Metric histories: series, points and chunks out."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import BigInteger, bindparam, func, select, tuple_

from consumers.store import jobs
from consumers.store.schema import chunk, job, series
from consumers.store.sql import slices
from consumers.views.metric_history.bodies import cut, decode, up_to
from consumers.views.metric_history.chunks import encode
from consumers.views.metric_history.fold import MetricHistoryView
from consumers.views.metric_history.overview import Sketch
from consumers.views.metric_history.rows import begin_points
from consumers.views.metric_history.stats import Stats
from synapse_stream.entries.position import Position
from synapse_stream.ports.views import SeriesKey, SeriesSummary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

    from consumers.views.metric_history.rows import Points

PROJECTION = MetricHistoryView.name

_POINTS_AT_ONCE = 2_048
_BEHIND_ALL = Position(2**63 - 1, 2**63 - 1, 2**31 - 1)
_STATS = [chunk.c[name] for name in Stats._fields]
KEY = [series.c[name] for name in SeriesKey._fields]
_FIRST = [chunk.c.first_ms, chunk.c.first_seq, chunk.c.first_line]
_LAST = [chunk.c.last_ms, chunk.c.last_seq, chunk.c.last_line]

# A long series is read by many small statements: made once, they cost a third.
_the_series = (
    select(series.c.no)
    .join(job, job.c.no == series.c.job_no)
    .where(job.c.projection == PROJECTION, job.c.job_id == bindparam("job"))
    .where(*(column == bindparam(column.name) for column in KEY))
)
_place = tuple_(*(bindparam(name, type_=BigInteger) for name in ("ms", "seq", "line")))
_all_sizes = (
    select(chunk.c.number, chunk.c.points)
    .where(chunk.c.series_no == bindparam("series"), tuple_(*_FIRST) <= _place)
    .order_by(chunk.c.number)
)
_is_next = chunk.c.number >= bindparam("begin")
_next_sizes = _all_sizes.where(_is_next).limit(_POINTS_AT_ONCE + 1)
_some_bodies = _all_sizes.with_only_columns(chunk.c.number, chunk.c.body, *_LAST).where(
    _is_next, chunk.c.number <= bindparam("end")
)


def read_summaries(
    connection: Connection,
    job_id: str,
    wanted: Mapping[str, Any],
    after: SeriesKey | None,
    limit: int | None,
    *,
    only_latest: bool = False,
) -> list[SeriesSummary]:
    """Return the series of a job that match `wanted`, in the order of their keys; None means all.

    They are the first ones behind `after`. With `only_latest` of those that only differ in their
    attempt the latest.
    """
    filters = [series.c[key] == value for key, value in wanted.items() if value is not None]
    filters.append(series.c.job_no == jobs.number(connection, PROJECTION, job_id))
    found = select(series).where(*filters)
    if only_latest:
        latest = func.max(series.c.attempt).over(partition_by=KEY[1:]).label("latest")
        every = found.add_columns(latest).subquery()
        found = select(every).where(every.c.attempt == every.c.latest)
    chosen = found.subquery()
    key = [chosen.c[column.name] for column in KEY]
    listed = select(chosen).order_by(*key).limit(limit)
    if after is not None:
        listed = listed.where(tuple_(*key) > tuple_(*after[:2], after.step or "", after.name))
    page = listed.subquery()
    whole = (
        select(
            chunk.c.series_no,
            func.sum(chunk.c.points).label("total"),
            func.min(chunk.c.v_min).label("minimum"),
            func.max(chunk.c.v_max).label("maximum"),
            func.sum(chunk.c.nans + chunk.c.positive + chunk.c.negative).label("non_finite"),
            func.max(chunk.c.xs).label("xs"),
            func.max(chunk.c.number).label("newest"),
        )
        .where(chunk.c.series_no.in_(select(page.c.no)))
        .group_by(chunk.c.series_no)
        .subquery()
    )
    query = (
        select(page, whole, chunk.c.v_last)
        .join(whole, whole.c.series_no == page.c.no)
        .join(chunk, (chunk.c.series_no == page.c.no) & (chunk.c.number == whole.c.newest))
        .order_by(*(page.c[column.name] for column in KEY))
    )
    return [
        SeriesSummary(
            key=SeriesKey(row.attempt, row.rank, row.step, row.name),
            count=int(row.total),
            minimum=row.minimum if row.minimum <= row.maximum else None,
            maximum=row.maximum if row.minimum <= row.maximum else None,
            last=nan if row.v_last is None else row.v_last,
            has_x=row.xs > 0,
            non_finite=int(row.non_finite),
        )
        for row in connection.execute(query)
    ]


def find_series(connection: Connection, job_id: str, key: SeriesKey) -> int | None:
    """Return the number of a series, None if there is none."""
    wanted = {"job": job_id, **key._asdict(), "step": key.step or ""}
    return connection.execute(_the_series, wanted).scalar()


def read_points(connection: Connection, series_no: int, until: Position | None = None) -> Points:
    """Return the points of a series up to and with `until`, in the order of the fold."""
    points = begin_points(0)
    for body, is_cut in read_chunks(connection, series_no, until):
        points.extend(decode_until(body, until if is_cut else None))
    return points


def read_chunks(
    connection: Connection, series_no: int, until: Position | None = None
) -> list[tuple[bytes, bool]]:
    """Return the chunks of a series up to `until`, each with whether it ends behind that."""
    query = select(chunk.c.body, *_LAST).where(*_chunks(series_no, until)).order_by(chunk.c.number)
    return [
        (bytes(body), until is not None and tuple(last) > until)
        for body, *last in connection.execute(query)
    ]


class Place(NamedTuple):
    """Where a chunk begins: merging may take it away, but never has one of its number elsewhere."""

    number: int
    begin: int
    """How many points of the series stand before it."""


class Part(NamedTuple):
    """Some points of one chunk."""

    place: Place
    begin: int
    """In the chunk, as `end`."""
    end: int
    body: bytes
    is_cut: bool
    """True when the chunk ends behind where reading is to end."""


def read_behind(
    connection: Connection,
    series_no: int,
    taken: int,
    last: Place | None,
    until: Position | None,
) -> list[Part]:
    """Return where the next points of a series are, of which `taken` were read, in `last` the last.

    They are no more than a reader that pauses may keep.
    """
    wanted = _wanted(connection, series_no, taken, last, until)
    if wanted is None:  # merged meanwhile
        wanted = _wanted(connection, series_no, taken, None, until)
    if not wanted:
        return []
    span = {"begin": min(wanted), "end": max(wanted)}
    found = connection.execute(_some_bodies, {**_of(series_no, until), **span})
    return [
        Part(*wanted[number], bytes(body), until is not None and tuple(last) > until)
        for number, body, *last in found
    ]


def _wanted(
    connection: Connection,
    series_no: int,
    taken: int,
    last: Place | None,
    until: Position | None,
) -> dict[int, tuple[Place, int, int]] | None:
    """Return what to read of the next chunks by number; None when that of `last` is gone."""
    query = _all_sizes if last is None else _next_sizes
    number, begin = last or Place(0, 0)
    found = connection.execute(query, {**_of(series_no, until), "begin": number}).all()
    if last is not None and (not found or found[0].number != number):
        return None
    wanted: dict[int, tuple[Place, int, int]] = {}
    for number, points in found:
        first, behind = max(taken, begin), min(begin + points, taken + _POINTS_AT_ONCE)
        if first < behind:
            wanted[number] = (Place(number, begin), first - begin, behind - begin)
        begin += points
    return wanted


def _of(series_no: int, until: Position | None) -> dict[str, int]:
    ms, seq, line = until or _BEHIND_ALL
    return {"series": series_no, "ms": ms, "seq": seq, "line": line}


def points_of(parts: Sequence[Part], until: Position | None) -> Points:
    """Return the points of what `read_behind` has found, up to and with `until`."""
    found = begin_points(0)
    for part in parts:
        points = decode(part.body).part(part.begin, part.end)
        found.extend(points if until is None or not part.is_cut else up_to(points, until))
    return found


def decode_until(body: bytes, until: Position | None) -> Points:
    """Return the points of a chunk up to and with `until`; None means all."""
    return decode(body) if until is None else cut(0, body, until)


def read_sketches(
    connection: Connection, series_no: int, until: Position | None = None
) -> tuple[list[Sketch], dict[int, bytes]]:
    """Return the chunks of a series up to and with `until`, in the order of their numbers.

    They come without their bodies, but beside them, by number, the bodies of those that end behind
    `until`, cut there.
    """
    query = (
        select(chunk.c.number, chunk.c.outline, *_LAST, *_STATS)
        .where(*_chunks(series_no, until))
        .order_by(chunk.c.number)
    )
    sketches: dict[int, Sketch] = {}
    behind: list[int] = []
    for number, outline, ms, seq, line, *stats in connection.execute(query):
        sketches[number] = Sketch(number, _stats(stats), bytes(outline))
        if until is not None and (ms, seq, line) > until:
            behind.append(number)
    bodies: dict[int, bytes] = {}
    if until is not None:
        for number, body in read_bodies(connection, series_no, behind).items():
            (rest,) = encode(cut(number, body, until))
            sketches[number] = Sketch(number, rest.stats, rest.outline)
            bodies[number] = rest.body
    return list(sketches.values()), bodies


def read_bodies(connection: Connection, series_no: int, numbers: Sequence[int]) -> dict[int, bytes]:
    """Return the bodies of some chunks of a series."""
    bodies: dict[int, bytes] = {}
    for some in slices(numbers):
        query = select(chunk.c.number, chunk.c.body).where(
            chunk.c.series_no == series_no, chunk.c.number.in_(some)
        )
        bodies.update((number, bytes(body)) for number, body in connection.execute(query))
    return bodies


def _chunks(series_no: int, until: Position | None) -> list[ColumnElement[bool]]:
    """Choose the chunks of a series that have a point up to `until`."""
    wanted: list[ColumnElement[bool]] = [chunk.c.series_no == series_no]
    if until is not None:
        wanted.append(tuple_(*_FIRST) <= tuple_(*until))
    return wanted


def _stats(columns: list[Any]) -> Stats:
    points, v_min, v_max, v_last, *others = columns
    return Stats(points, v_min, v_max, nan if v_last is None else v_last, *others)

"""What Kubeflow's trainers post of their status, as reports. Pure.

Transformers' own callback does, as soon as three variables are set. It posts what it knows every
five seconds: the share that is done, and the newest value of each metric, as text. So what counts
is what is other than before; `current_step` and `total_steps` are how far it is, and the x.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from math import isfinite
from typing import Any, NamedTuple

from consumers.api.ingest.book import Book, Turn
from consumers.api.ingest.synapse import Report, Snapshot
from synapse_stream.events import rules
from synapse_stream.models import RunStatus

BY = "trainer"
_STEP = "training"
_CURRENT, _TOTAL = "current_step", "total_steps"
_WHOLE = 100.0


class Status(NamedTuple):
    """One post."""

    percent: float | None
    remaining_seconds: float | None
    metrics: dict[str, float]
    texts: dict[str, str]
    """Of metrics, what is no number."""
    time_us: int | None
    """None: it does not say when."""

    @property
    def is_last(self) -> bool:
        """True when nothing is left to be done."""
        return self.percent == _WHOLE and self.remaining_seconds == 0


def status_in(content: Any) -> Status:
    """Return what a request holds.

    Raises:
        ValueError: it is no status.
    """
    given = content.get("trainerStatus") if isinstance(content, dict) else None
    if not isinstance(given, dict):
        msg = 'the body must be {"trainerStatus": {…}}'
        raise ValueError(msg)  # noqa: TRY004 - like what else may be wrong with a body
    pairs = given.get("metrics") or []
    if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
        msg = 'metrics must be a list of {"name": …, "value": …}, both text'
        raise ValueError(msg)
    numbers = {pair["name"]: _number(pair["value"]) for pair in pairs}
    return Status(
        _share(given, "progressPercentage", _WHOLE),
        _share(given, "estimatedRemainingSeconds", None),
        {name: number for name, number in numbers.items() if number is not None},
        {pair["name"]: pair["value"] for pair in pairs if numbers[pair["name"]] is None},
        _time_us(given.get("lastUpdatedTime")),
    )


def take_status(book: Book, status: Status, key: bytes, host: str) -> Turn:
    """Return what a post changes: a new attempt begins when one that had ended goes on.

    Args:
        book: of the job.
        status: as it was posted.
        key: by which it is known again.
        host: where it comes from.
    """
    if book.ended is not None and status.is_last:
        return Turn(book)  # of a training that nobody has begun
    opened, first = book.begun(host, BY, "a trainer of Kubeflow's kind, over HTTP")
    before = opened.snapshot
    metrics = dict(status.metrics)
    x, total = metrics.pop(_CURRENT, None), metrics.pop(_TOTAL, None)
    known = before.metrics.get(_STEP, {})
    new = {name: value for name, value in metrics.items() if not _is_same(value, known.get(name))}
    reports = list(first)
    done = _done(status, x, total)
    if done is not None and before.steps.get(_STEP) != done[0] / done[1]:
        reports.append(Report("progress", _STEP, {"current": done[0], "total": done[1]}))
    if new:
        reports.append(Report("metrics", None, rules.metrics(new, x, [])))
    if status.texts:
        fields = {"event": "trainer status", "data": status.texts, "level": "info"}
        reports.append(Report("log", None, fields))
    if status.is_last:
        end = {"status": RunStatus.COMPLETED.value, "error": None, "result": None}
        reports.append(Report("end", None, end))
        opened = replace(opened, ended=RunStatus.COMPLETED.value, ended_us=status.time_us or 0)
    steps = before.steps if done is None else {**before.steps, _STEP: done[0] / done[1]}
    snapshot = Snapshot(steps, {**before.metrics, _STEP: {**known, **metrics}})
    timed = [one._replace(time_us=status.time_us) for one in reports]
    if timed:
        timed[0] = timed[0]._replace(key=key)
    return Turn(replace(opened, snapshot=snapshot), timed)


def _done(status: Status, x: float | None, total: float | None) -> tuple[float, float] | None:
    """Return how far it is: by its steps if it tells them, else by the share."""
    if x is not None and total is not None and 0 <= x <= total and total > 0 and isfinite(total):
        return x, total
    return None if status.percent is None else (status.percent, _WHOLE)


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, dict) and all(
        isinstance(pair.get(name), str) for name in ("name", "value")
    )


def _share(given: dict[str, Any], name: str, most: float | None) -> float | None:
    value = given.get(name)
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= (most if most is not None else value):
        msg = f"{name}={value!r} is not possible"
        raise ValueError(msg)
    return float(value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _is_same(one: float, other: float | None) -> bool:
    return one == other or (other is not None and one != one and other != other)  # noqa: PLR0124 - NaN


def _time_us(text: Any) -> int | None:
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1_000_000)
    except (TypeError, ValueError, OverflowError):
        return None

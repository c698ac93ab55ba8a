"""How much each token appends, and what is too much: who sends more is asked to wait."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING

from consumers.api.problems import Problem
from synapse_stream.entries.limits import LARGEST_DATA_BYTES

if TYPE_CHECKING:
    from consumers.api.tokens import Caller

_OPEN_SECONDS = 60.0
_MOST_KEPT = 10_000


@dataclass(slots=True)
class _Meter:
    """Of one token: bytes that it may send now, and when it last appended to which job."""

    left: float
    filled_at: float
    jobs: OrderedDict[str, float] = field(default_factory=OrderedDict)


class Meters:
    """The meters of one process, each of which counts for itself. Belongs to the event loop."""

    def __init__(self) -> None:
        self._meters: OrderedDict[str, _Meter] = OrderedDict()

    def count(self, caller: Caller, job_id: str, size: int) -> None:
        """Note that a caller appends so many bytes; operators are not limited.

        Raises:
            Problem: it is too much just now; it says when to come again.
        """
        if caller.is_operator:
            return
        now = time.monotonic()
        meter = self._of(caller, now)
        rate = caller.limits.bytes_per_second
        most = max(rate, LARGEST_DATA_BYTES)
        meter.left = min(most, meter.left + (now - meter.filled_at) * rate)
        meter.filled_at = now
        if size > meter.left:
            detail = f"the token {caller.name} may append {rate} bytes a second, and has sent more"
            raise _too_much(detail, "bytes_per_second", rate, (size - meter.left) / rate)
        self._open(meter, caller, job_id, now)
        meter.left -= size

    def _open(self, meter: _Meter, caller: Caller, job_id: str, now: float) -> None:
        jobs, most = meter.jobs, caller.limits.open_jobs
        while jobs and now - next(iter(jobs.values())) > _OPEN_SECONDS:
            jobs.popitem(last=False)
        if job_id not in jobs and len(jobs) >= most:
            detail = f"the token {caller.name} may append to {most} jobs a minute, and has to more"
            wait = _OPEN_SECONDS - (now - next(iter(jobs.values())))
            raise _too_much(detail, "open_jobs", most, wait)
        jobs[job_id] = now
        jobs.move_to_end(job_id)

    def _of(self, caller: Caller, now: float) -> _Meter:
        name = caller.claims.id if caller.claims else caller.name
        meter = self._meters.get(name)
        if meter is None:
            most = max(caller.limits.bytes_per_second, LARGEST_DATA_BYTES)
            meter = self._meters[name] = _Meter(most, now)
            if len(self._meters) > _MOST_KEPT:
                self._meters.popitem(last=False)
        self._meters.move_to_end(name)
        return meter


def _too_much(detail: str, what: str, allowed: int, seconds: float) -> Problem:
    headers = {"Retry-After": str(max(1, ceil(seconds)))}
    status = HTTPStatus.TOO_MANY_REQUESTS
    return Problem(status, detail, allowed={what: allowed}, headers=headers)

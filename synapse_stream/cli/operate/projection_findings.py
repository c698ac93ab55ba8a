"""What `doctor` finds about projections: are their databases whole, and do they move?"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from synapse_stream.cli.operate.findings import Finding
from synapse_stream.cli.shared.tables import span
from synapse_stream.errors import ConfigError, LogUnavailable, SynapseStreamError
from synapse_stream.log.feeds import FeedLog
from synapse_stream.operating.lag import gaps, late, measure, unowned
from synapse_stream.ports.operations import open_operations
from synapse_stream.ports.projections import projections
from synapse_stream.saying.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.ports.operations import Damage, Fault, Operations
    from synapse_stream.settings import Settings

_MOST_SHOWN = 10


def examine_projections(settings: Settings) -> Iterator[Finding]:
    """Yield what is found; a store that is not to be had here is said elsewhere."""
    try:
        store = open_operations(settings)
    except ConfigError:
        return
    for fault in projections().faults().values():
        yield Finding("views", "problem", fault)
    try:
        found = list(_databases(store))
        yield from found
        if not any(finding.verdict == "problem" for finding in found):
            yield from _movement(store, settings)
    finally:
        store.close()


def _databases(store: Operations) -> Iterator[Finding]:
    is_well = True
    for name in projections().names():
        try:
            fault = store.databases.examine(name)
        except SynapseStreamError as error:
            yield Finding("store", "problem", str(error))
            return
        if fault is not None:
            is_well = False
            yield Finding("store", "problem", f"{name}: {fault.text}", _advice(name, fault))
    if is_well:
        yield Finding("store", "ok", "all databases can be read")
        for name in projections().names():
            yield from _damaged_jobs(store, name)


def _damaged_jobs(store: Operations, name: str) -> Iterator[Finding]:
    """Yield what cannot be read of jobs, and what becomes of it."""
    for found in store.damage.list(name, limit=_MOST_SHOWN):
        which = f"job {found.job_id!r}" if found.job_id else "all jobs"
        text = f"{name} of {which} is damaged: {found.text}"
        yield Finding("store", "problem", one_line(text), _future(name, found))
    more = store.damage.count(name) - _MOST_SHOWN
    if more > 0:
        yield Finding("store", "problem", f"{name} of {more} more jobs is damaged")


def _future(name: str, found: Damage) -> str:
    """Say what mends damage of one job."""
    job = shlex.quote(found.job_id)
    if name not in projections().folded():
        return (
            f"synapse-stream verify {job} says which entries; they come back with a copy of the "
            "archive that has them"
        )
    if found.outcome is not None:
        return f"{found.outcome}; once that is mended: synapse-stream rebuild {name} --job {job}"
    return f"it is made anew by itself while its consumer runs: python -m consumers {name}"


def _advice(name: str, fault: Fault) -> str | None:
    """Return what mends a damaged file; the archive's is all that there is of most runs."""
    if fault.file is None:
        return None
    file = shlex.quote(fault.file)
    if name not in projections().folded():
        return (
            "keep the file: trimmed runs are nowhere else. Stop the consumers, and put a copy of "
            f"it back, or what is readable: sqlite3 {file} .recover | sqlite3 recovered.db"
        )
    aside = shlex.quote(f"{fault.file}.damaged")
    return (
        f"stop the consumers, move it away: mkdir {aside} && mv {file} {file}-* {aside}, and start "
        "them: the view is filled from the archive by itself, or by synapse-stream rebuild "
        f"{name}"
    )


def _movement(store: Operations, settings: Settings) -> Iterator[Finding]:
    log = FeedLog.open(settings)
    try:
        log.check(found=False)
        lags = list(measure(store, log))
    except (ConfigError, LogUnavailable):
        return  # said elsewhere
    except SynapseStreamError as error:
        yield Finding("projections", "problem", str(error))
        return
    finally:
        log.close()
    behind, idle = late(lags), unowned(lags)
    for name, partitions in gaps(lags).items():
        text = (
            f"{name} stands still in {partitions} partitions: what follows was trimmed before it "
            "was read, so its database is an older copy, or new"
        )
        yield Finding("projections", "problem", text, _way_on(name))
    for name, seconds in behind.items():
        start = f"start it: python -m consumers {name}"
        advice = start if name in idle else f"see what its consumer logs; {start}"
        yield Finding("projections", "problem", f"{name} is {span(seconds)} behind", advice)
    if not behind and not gaps(lags):
        yield Finding("projections", "ok", "none is behind")


def _way_on(name: str) -> str:
    """Return what mends a gap: a view is folded from the archive, which has nothing to be."""
    if name in projections().folded():
        return (
            f"start it: python -m consumers {name}; it is filled from the archive, if that has all"
        )
    return (
        "put a newer copy of its database back; without one, it goes on behind what is lost, which "
        f"verify then names: synapse-stream rebuild {name}"
    )

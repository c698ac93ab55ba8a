"""`synapse-stream rebuild`: fold jobs anew from what is recorded, beside their live views."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from synapse_stream.cli.shared.output import WrongUse, print_json
from synapse_stream.cli.shared.reading import say_no
from synapse_stream.cli.shared.reason import Reason
from synapse_stream.cli.shared.tables import print_table
from synapse_stream.saying.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.ports.operations import Operations, Rebuild
    from synapse_stream.settings import Settings

_LOOK_SECONDS = 0.2
_GONE_SECONDS = 3.0  # a consumer that starts has no lease yet
_PAGE = 500
_NOT_DONE = "not done"


def rebuild(
    projection: Annotated[str, typer.Argument(metavar="PROJECTION", help="A view, as run-state.")],
    *,
    job: Annotated[str | None, typer.Option(help="Only this job; without it all of them.")] = None,
    rollback: Annotated[
        bool,
        typer.Option(
            "--rollback",
            help="Bring back what was there before the last rebuild, with what has come since.",
        ),
    ] = False,
    reason: Reason = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a job.")] = False,
) -> None:
    """Fold jobs anew from archive and stream, and put that in the place of what is there.

    The consumers do it, job by job, while views are read and grow; so a projection comes back, too,
    that was retired, or whose database is new or an older copy. Shown are the jobs that were
    different before, and where first. Exit code 1 when one could not be rebuilt.

    Nothing makes the archive anew: where what follows was trimmed before it was read, it goes on
    behind that, and verify names what is lost.
    """
    from synapse_stream.operating.trail import acting
    from synapse_stream.ports.operations import open_operations
    from synapse_stream.ports.projections import projections
    from synapse_stream.settings import Settings

    folded, record = projections().folded(), projections().names()[-1]
    if projection == record and not (job or rollback) and _go_on(record, Settings.load(), reason):
        return
    if projection not in folded:
        msg = f"{projection!r} cannot be rebuilt; expected one of {', '.join(folded)}"
        raise WrongUse(msg)
    settings = Settings.load()
    store = open_operations(settings)
    try:
        name = "rebuild --rollback" if rollback else "rebuild"
        jobs, before = [job] if job else [], {"projection": projection}
        with acting(settings, name, jobs=jobs, reason=reason, before=before) as act:
            if job is None and not rollback:
                count = _ask_all(store, projection, settings)
            else:
                count = store.rebuilds.ask(projection, job, is_rollback=rollback)
            act.after["asked"] = count
        wait(store, projection)
        found = list(_asked(store, projection, job))
    finally:
        store.close()
    _report(found, count, as_json=as_json)


def _go_on(record: str, settings: Settings, reason: str | None) -> bool:
    """Have what keeps the record read on behind what was trimmed before it was read, if any was."""
    from synapse_stream.log.feeds import FeedLog
    from synapse_stream.operating.lag import measure_one
    from synapse_stream.operating.trail import acting
    from synapse_stream.ports.operations import open_operations

    store, log = open_operations(settings), FeedLog.open(settings)
    try:
        log.check(found=False)
        gaps = [lag.partition for lag in measure_one(store, log, record) if lag.has_gap]
        if gaps:
            upto = {partition: log.trimmed(partition) for partition in gaps}
            lost = {str(partition): "{}-{}".format(*place) for partition, place in upto.items()}
            before = {"projection": record, "trimmed": lost}
            with acting(settings, "rebuild", reason=reason, before=before):
                store.leases.skip_trimmed(record, upto)
    finally:
        log.close()
        store.close()
    if gaps:
        said = "`synapse-stream verify --all` names losses"
        print(f"{record} goes on in {len(gaps)} partitions; {said}")
    return bool(gaps)


def _ask_all(store: Operations, projection: str, settings: Settings) -> int:
    """Ask for all jobs, and have the projection go on where the feeds begin."""
    from synapse_stream.log.trimming import TrimLog

    log = TrimLog.open(settings)
    try:
        log.check(found=False)
        log.restore(projection)  # first: what is trimmed from here on waits for it
        count = store.rebuilds.ask(projection)
        feeds = range(settings.partitions)
        store.leases.skip_trimmed(projection, {feed: log.trimmed(feed) for feed in feeds})
    finally:
        log.close()
    return count


def wait(store: Operations, projection: str) -> None:
    """Wait until nothing is left to be done, as long as a consumer runs."""
    seen_at = time.monotonic()
    while left := store.rebuilds.count_due(projection):
        if any(at.owner for at in store.leases.checkpoints(projection)):
            seen_at = time.monotonic()
        elif time.monotonic() > seen_at + _GONE_SECONDS:
            say_no(
                f"{left} to be rebuilt, but no consumer of {projection} runs; they will be as "
                "soon as one does"
            )
        time.sleep(_LOOK_SECONDS)


def _asked(store: Operations, projection: str, job: str | None) -> Iterator[Rebuild]:
    after = 0
    while page := store.rebuilds.asked(projection, job_id=job, after=after, limit=_PAGE):
        yield from page
        after = page[-1].no


def _report(found: list[Rebuild], count: int, *, as_json: bool) -> None:
    failed = [one for one in found if (one.outcome or _NOT_DONE).startswith(_NOT_DONE)]
    if as_json:
        for one in found:
            print_json({"job_id": one.job_id, "outcome": one.outcome, "difference": one.difference})
    else:
        shown = [one for one in found if one.difference or one in failed]
        if shown:
            rows = [
                (one.job_id, one.outcome or "", printable(one.difference or "")) for one in shown
            ]
            print_table(("JOB", "OUTCOME", "DIFFERENCE"), rows)
        different = sum(one.difference is not None for one in found)
        print(f"{count} asked for, {different} were different, {len(failed)} not done")
    if failed:
        raise typer.Exit(1)

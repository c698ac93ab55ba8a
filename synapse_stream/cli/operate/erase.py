"""`synapse-stream erase`: lines of a run go for good, and what is left of it stays proved."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from synapse_stream.cli.operate.hold import holds_now
from synapse_stream.cli.operate.rebuild import wait
from synapse_stream.cli.shared.output import WrongUse
from synapse_stream.cli.shared.positions import position_of
from synapse_stream.cli.shared.reading import say_no
from synapse_stream.entries.keys import TRAIL
from synapse_stream.errors import LogUnavailable, SynapseStreamError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synapse_stream.entries.position import Position
    from synapse_stream.log.trimming import TrimLog
    from synapse_stream.ports.operations import Operations

_LOOK_SECONDS = 0.2
_GONE_SECONDS = 3.0
_FILE_SECONDS = 60.0


def erase(
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")],
    *,
    position: Annotated[
        list[str],
        typer.Option(metavar="P", help="Of a line, as `events` shows it; may be given again."),
    ],
    reason: Annotated[str, typer.Option(help="Why; `verify` and `trail` show it.")],
) -> None:
    """Erase lines of a run: from its stream, the archive, the views, and what is exported later.

    Of a line its leaf in the hash chain stays, so what is left of the run is proved as before, and
    `verify` says what was erased, when, by whom and why. Lines of metrics and progress go with
    those beside which they were sent. Who archives the job does it; the stream has the lines until
    all views have read them. A producer may send them again while its rewind window is open; then
    they are erased again.
    """
    from synapse_stream.entries.erasing import ERASED

    positions = [position_of(one) for one in position]
    _check(job, reason)
    outcomes = _erase(job, positions, reason)
    failed = [one for one in positions if outcomes.get(one) != ERASED]
    print(f"{len(positions) - len(failed)} of {len(positions)} lines of {job} erased")
    for one in failed:
        print(f"  {one} {outcomes.get(one)}")
    if failed:
        raise typer.Exit(1)


def _check(job: str, reason: str) -> None:
    if job == TRAIL:
        msg = "nothing is erased from the operators' trail"
        raise WrongUse(msg)
    if not reason.strip():
        msg = "--reason says why, in some words"
        raise WrongUse(msg)


def _check_holds(job: str) -> None:
    from synapse_stream.entries.erasing import CannotErase
    from synapse_stream.reading.stream import JobStream

    holds = holds_now()
    if holds.may_be_on(job, lambda job_id: JobStream(job_id).state()):
        is_held = "is held" if holds.of(job, ()) else "is held by a label, or may be"
        msg = f"job {job!r} {is_held}, so nothing of it is erased; see `hold`"
        raise CannotErase(msg)


def _erase(job: str, positions: Sequence[Position], reason: str) -> dict[Position, str | None]:
    """Have lines erased, and return what came of each."""
    from synapse_stream.entries.erasing import ERASED
    from synapse_stream.log.trimming import TrimLog
    from synapse_stream.operating.trail import acting, actor_here
    from synapse_stream.ports.operations import open_operations
    from synapse_stream.settings import Settings

    settings, who = Settings.load(), actor_here()
    with closing(open_operations(settings)) as store, closing(TrimLog.open(settings)) as log:
        log.check(found=False)
        before = {"positions": [*map(str, positions)]}
        with acting(settings, "erase", jobs=[job], reason=reason, before=before) as act:
            _check_holds(job)  # now: a hold that was written before this act counts
            store.erasures.ask(job, positions, reason=reason, by=f"{who.by}@{who.host}")
            _wait_archived(store, job)
            outcomes = {one.position: one.outcome for one in store.erasures.asked(job)}
            erased = [str(one) for one in positions if outcomes.get(one) == ERASED]
            if erased:
                _finish(store, log, job)
            act.after["erased"] = erased
    return outcomes


def _wait_archived(store: Operations, job: str) -> None:
    """Wait until who archives the job has looked, as long as somebody does."""
    from synapse_stream.ports.projections import projections

    record = projections().names()[-1]
    seen_at = time.monotonic()
    while any(one.outcome is None for one in store.erasures.asked(job)):
        if any(at.owner for at in store.leases.checkpoints(record)):
            seen_at = time.monotonic()
        elif time.monotonic() > seen_at + _GONE_SECONDS:
            say_no("nobody archives at the moment; the lines are erased as soon as somebody does")
        time.sleep(_LOOK_SECONDS)


def _finish(store: Operations, log: TrimLog, job: str) -> None:
    """Have stream and views without the lines, and nothing left of them in the files."""
    from synapse_stream.operating.erasing import leave_streams

    while job in leave_streams(store, log):
        _check_readers(store, log)
        time.sleep(_LOOK_SECONDS)
    for said in (*_refold(store, job), _rewritten(log)):
        if said:
            print(f"  left: {said}")


def _rewritten(log: TrimLog) -> str | None:
    """Have nothing of it in the server's append-only file; return why not."""
    try:
        return log.rewrite_file(_FILE_SECONDS)
    except LogUnavailable as error:
        return f"the server's append-only file, until BGREWRITEAOF: {error}"


def _check_readers(store: Operations, log: TrimLog) -> None:
    """Do not wait for a projection that nobody runs: the stream keeps all that it has not read."""
    from synapse_stream.ports.projections import projections

    retired = log.retired()
    for name in projections().names():
        owners = {at.owner for at in store.leases.checkpoints(name)}
        if name not in retired and owners <= {None}:
            say_no(
                f"the lines stand in the stream until {name} has read them, and no consumer of it "
                "runs; start one, and erase them again"
            )


def _refold(store: Operations, job: str) -> Iterator[str | None]:
    """Fold the views anew, twice: what was before is kept until the next time."""
    from synapse_stream.ports.projections import projections

    names: Sequence[str] = projections().names()
    for _ in range(2):
        for name in projections().folded():
            store.rebuilds.ask(name, job)
        for name in projections().folded():
            wait(store, name)
    for name in names:
        try:
            yield store.databases.sweep(name)
        except SynapseStreamError as error:
            yield str(error)

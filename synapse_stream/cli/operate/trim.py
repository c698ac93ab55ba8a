"""`synapse-stream trim`: remove from the streams what every projection has for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from synapse_stream.cli.shared.output import WrongUse, print_json
from synapse_stream.cli.shared.reading import say_no
from synapse_stream.cli.shared.reason import Reason
from synapse_stream.cli.shared.tables import Cell, clock, print_table, span
from synapse_stream.ports.projections import projections

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synapse_stream.entries.answers import TrimCount
    from synapse_stream.log.trimming import TrimLog
    from synapse_stream.operating.retention import Cut
    from synapse_stream.ports.operations import Operations
    from synapse_stream.settings import Settings


def trim(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    retire: Annotated[
        str | None,
        typer.Option(
            metavar="PROJECTION",
            help="First write down that this one is gone for good, and wait for it no more; "
            "`rebuild` brings it back.",
        ),
    ] = None,
    reason: Reason = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a partition.")] = False,
) -> None:
    """Remove from the streams what is archived and in every view, for good, and no longer hot.

    The consumer of the archive does so by itself, all the time. Nothing is lost: what is removed is
    read from the archive.
    """
    from synapse_stream.log.trimming import TrimLog
    from synapse_stream.operating.retention import Trimmer
    from synapse_stream.ports.operations import open_operations
    from synapse_stream.settings import Settings

    settings = Settings.load()
    store = open_operations(settings)
    log = TrimLog.open(settings)
    try:
        log.check(found=False)
        if retire is not None and not dry_run:
            _retire(store, log, retire, settings, reason)
        trimmer = Trimmer(store, log, settings)
        act = trimmer.count if dry_run else trimmer.trim
        done = [(cut, act(cut)) for cut in trimmer.cuts()]
    finally:
        log.close()
        store.close()
    _print(done, settings, dry_run=dry_run, as_json=as_json)


def _retire(
    store: Operations, log: TrimLog, projection: str, settings: Settings, reason: str | None
) -> None:
    from synapse_stream.operating.trail import acting

    folded = projections().folded()
    if projection not in folded:
        msg = f"{projection!r} cannot be retired; expected one of {', '.join(folded)}"
        raise WrongUse(msg)
    owners = {c.owner for c in store.leases.checkpoints(projection) if c.owner is not None}
    if owners:
        say_no(f"{projection} runs, as {', '.join(sorted(owners))}: stop it first")
    before = {"projection": projection, "retired": sorted(log.retired())}
    with acting(settings, "trim --retire", reason=reason, before=before) as act:
        log.retire(projection, log.now_ms())
        act.after["retired"] = sorted(log.retired())


def _print(
    done: Sequence[tuple[Cut, TrimCount]], settings: Settings, *, dry_run: bool, as_json: bool
) -> None:
    if as_json:
        for cut, count in done:
            print_json(_object(cut, count, dry_run=dry_run))
        return
    shown = list(_rows(done))
    if shown:
        print_table(("PARTITION", "TRIMMED BEFORE", "ENTRIES", "EVENTS", "HELD BACK BY"), shown)
    entries = sum(count.entries for _, count in done)
    events = sum(count.events for _, count in done)
    said = "would be removed" if dry_run else "removed"
    kept = span(max(settings.hot_seconds, settings.rewind_seconds))
    print(f"{entries} entries with {events} events {said}; the last {kept} stay")


def _object(cut: Cut, count: TrimCount, *, dry_run: bool) -> dict[str, Any]:
    return {
        "partition": cut.partition,
        "before_ms": cut.before_ms,
        "entries": count.entries,
        "events": count.events,
        "dropped_streams": None if dry_run else count.dropped,
        "held_back_seconds": dict(cut.held_back),
        "dry_run": dry_run,
    }


def _rows(done: Sequence[tuple[Cut, TrimCount]]) -> Iterator[Sequence[Cell | str]]:
    """Yield the partitions in which something is to be said."""
    for cut, count in done:
        if not count.entries and not cut.held_back:
            continue
        before = clock(cut.before_ms * 1000) if cut.before_ms else "nothing"
        held = Cell(", ".join(sorted(cut.held_back)), "yellow") if cut.held_back else "-"
        yield str(cut.partition), before, str(count.entries), str(count.events), held

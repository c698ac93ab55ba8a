"""`synapse-stream lag`: how far each projection is behind what has been reported."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from synapse_stream.cli.shared.output import print_json
from synapse_stream.cli.shared.tables import Cell, print_table, span
from synapse_stream.operating.lag import Lag, measure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synapse_stream.settings import Settings


def lag(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a partition.")] = False,
) -> None:
    """Show what is recorded but not yet in the views, by projection and partition.

    Where very much waits, not all of it is counted, and ≥ says so.
    """
    from synapse_stream.settings import Settings

    lags = list(_measure(Settings.load()))
    if as_json:
        for found in lags:
            print_json(found)
        return
    names = dict.fromkeys(found.projection for found in lags)
    totals = [_total([lag for lag in lags if lag.projection == name], name) for name in names]
    header = ("PROJECTION", "PARTITION", "EVENTS", "BEHIND", "CONSUMER")
    print_table(header, [*_rows(lags), *totals, _total(lags, "all")])


def _measure(settings: Settings) -> Iterator[Lag]:
    from synapse_stream.log.feeds import FeedLog
    from synapse_stream.ports.operations import open_operations

    store = open_operations(settings)
    log = FeedLog.open(settings)
    try:
        log.check(found=False)
        yield from measure(store, log)
    finally:
        log.close()
        store.close()


def _rows(lags: Sequence[Lag]) -> Iterator[Sequence[Cell | str]]:
    """Yield a row a partition; neighbours of one consumer where nothing waits share one."""
    for _, group in groupby(lags, key=_neighbourhood):
        some = list(group)
        first, last = some[0], some[-1]
        which = f"{first.partition}" if first is last else f"{first.partition}-{last.partition}"
        owner = Cell("none", "yellow") if first.owner is None else first.owner
        yield first.projection, which, _events(first), _behind(first), owner


def _neighbourhood(found: Lag) -> tuple[str, str | None, int]:
    return found.projection, found.owner, found.partition if found.events else -1


def _total(lags: Sequence[Lag], name: str) -> Sequence[Cell | str]:
    total = Lag(
        name,
        0,
        None,
        sum(found.events for found in lags),
        all(found.is_exact for found in lags),
        max((found.seconds for found in lags), default=0.0),
    )
    owners = {found.owner for found in lags if found.owner is not None}
    count = f"{len(owners)} consumer{'' if len(owners) == 1 else 's'}"
    return name, "total", _events(total), _behind(total), count


def _events(found: Lag) -> str:
    return f"{'' if found.is_exact else '≥ '}{found.events}"


def _behind(found: Lag) -> str:
    return span(found.seconds) if found.events else "-"

"""`synapse-stream trail`: what operators did, when, from where and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from synapse_stream.cli.shared.output import print_json
from synapse_stream.cli.shared.tables import Cell, clock, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.operating.acts import WrittenAct

_UNKNOWN = "not known"


def trail(
    *,
    act: Annotated[
        str | None, typer.Option(help="Only such acts: a name as shown, or its first word.")
    ] = None,
    job: Annotated[str | None, typer.Option(help="Only what names this job.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only from then on: -10m, -7d, a time, a position.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object an act.")] = False,
) -> None:
    """List what was done that changes what is recorded or shown.

    Each act is written down before it is done, and what came of it behind it; one whose outcome is
    not known was cut short, or is being done. `verify .trail` proves the list.
    """
    from synapse_stream.cli.shared.moments import moment
    from synapse_stream.entries.keys import TRAIL
    from synapse_stream.operating.acts import Acts
    from synapse_stream.reading.stream import JobStream

    begin = None if since is None else moment("--since", since)
    acts = Acts()
    acts.take(JobStream(TRAIL).read())
    found = [one for one in acts if one.is_of(act, job, begin)]
    if as_json:
        for one in found:
            print_json(one.as_json())
    elif found:
        header = ("WHEN", "WHO", "ACT", "JOBS", "OUTCOME", "FROM", "WHY")
        print_table(header, [_row(one) for one in found])
    else:
        print("Nothing was done")


def _row(one: WrittenAct) -> Sequence[Cell | str]:
    act = one.act
    said = one.outcome.outcome if one.outcome else _UNKNOWN
    why = one.outcome.error if one.outcome and one.outcome.error else ""
    outcome = Cell(f"{said}: {why}" if why else said, None if one.is_done else "yellow")
    who = f"{act.by}@{act.host}" if act.host else act.by
    jobs = ", ".join(act.jobs) or "-"
    return clock(act.time), who, act.act, jobs, outcome, act.origin or "-", act.reason or "-"

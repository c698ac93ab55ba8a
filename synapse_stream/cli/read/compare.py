"""`synapse-stream compare`: how runs differ, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from synapse_stream.cli.read.finding import cell
from synapse_stream.cli.shared.completion import Job
from synapse_stream.cli.shared.output import WrongUse, print_json
from synapse_stream.cli.shared.reading import near_job, place_of, say_no
from synapse_stream.cli.shared.tables import Cell, Wide, fits, print_fields, print_table
from synapse_stream.ports.views.jsonable import jsonable
from synapse_stream.saying.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.ports.comparing import Row


def compare(
    job: Job,
    others: Annotated[list[str], typer.Argument(metavar="JOB...", help="Compare with these.")],
    *,
    wide: Wide = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Compare runs: params, labels, environment and metrics, only what differs.

    The best value of a metric is marked by a *, where its name says whether low or high is good.
    Exit code 1 when a job is not known.
    """
    from synapse_stream.ports import comparing
    from synapse_stream.reading.job_views import opened
    from synapse_stream.settings import Settings

    jobs = list(dict.fromkeys([job, *others]))
    if not 1 < len(jobs) <= comparing.MOST_RUNS:
        msg = f"{len(jobs)} runs cannot be compared; name 2 to {comparing.MOST_RUNS} different ones"
        raise WrongUse(msg)
    settings = Settings.load()
    with opened(settings) as views:
        found = comparing.compare(views, jobs)
    if isinstance(found, str):
        say_no(f"job {found!r} is not known{place_of(settings)}{near_job(settings, found)}")
    if as_json:
        print_json(jsonable(found))
        return
    if found.rows:
        _print(found.jobs, [_line(row) for row in found.rows], wide=wide)
    print(f"{found.alike} more are the same" if found.rows else "these runs do not differ")


def _print(jobs: Sequence[str], rows: Sequence[Sequence[Cell]], *, wide: bool) -> None:
    """Print a column a run; where a terminal is too narrow for them, a line a run."""
    header = ["", "", *jobs]
    if wide or fits(header, rows):
        print_table(header, rows)
        return
    names = [f"    {one_line(job)}" for job in jobs]
    for kind, name, *values in rows:
        print(one_line(f"{kind.text} {name.text}"))
        print_fields([*zip(names, values, strict=True)], columns=max(map(len, names)))


def _line(row: Row) -> list[Cell]:
    cells = [_cell(row.name, value, is_best=n in row.best) for n, value in enumerate(row.values)]
    return [Cell(row.kind, "bright_black"), Cell(row.name), *cells]


def _cell(name: str, value: Any, *, is_best: bool) -> Cell:
    text = cell(name, value)
    return Cell(f"{text} *", "green") if is_best else Cell(text)

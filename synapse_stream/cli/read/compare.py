"""`synapse-stream compare`: how runs differ, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from synapse_stream.cli.read.finding import cell
from synapse_stream.cli.shared.completion import Job
from synapse_stream.cli.shared.output import WrongUse, print_json
from synapse_stream.cli.shared.reading import near_job, place_of, say_no
from synapse_stream.cli.shared.tables import Cell, Wide, print_table
from synapse_stream.ports.views.jsonable import jsonable

if TYPE_CHECKING:
    from synapse_stream.ports.comparing import Row

_LONGEST = 40


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
        header = ["", "", *found.jobs]
        print_table(header, [_line(row) for row in found.rows], wide=wide)
    print(f"{found.alike} more are the same" if found.rows else "these runs do not differ")


def _line(row: Row) -> list[Cell | str]:
    cells = [_cell(row.name, value, is_best=n in row.best) for n, value in enumerate(row.values)]
    return [Cell(row.kind, "bright_black"), row.name, *cells]


def _cell(name: str, value: Any, *, is_best: bool) -> Cell:
    text = cell(name, value)
    shown = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return Cell(f"{shown} *", "green") if is_best else Cell(shown)

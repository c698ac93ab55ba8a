"""`synapse-stream metrics`: a job's metric histories, drawn or as numbers."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synapse_stream.cli.shared.completion import Job
from synapse_stream.cli.shared.output import WrongUse, coloured, print_json
from synapse_stream.cli.shared.reading import near_job, say_no
from synapse_stream.cli.shared.sparkline import extremes, plot, sparkline
from synapse_stream.cli.shared.tables import Wide, amount, print_table, terminal_columns
from synapse_stream.events.tags import wire_number
from synapse_stream.ports.views import SeriesKey, table
from synapse_stream.ports.views.jsonable import jsonable
from synapse_stream.saying.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.ports.views import SeriesSummary, Views
    from synapse_stream.settings import Settings

METRIC_HEADER = ("METRIC", "STEP", "RANK", "ATTEMPT", "POINTS", "MIN", "MAX", "LAST", "COURSE")

_LONGEST_COURSE, _SHORTEST_COURSE = 40, 10
_OTHER_COLUMNS = 76
_SPARE = ("COURSE", "POINTS", "MIN", "MAX")
_ALIKE = ("ATTEMPT", "RANK", "STEP")  # spare, too, where they are the same in all rows
_PLOT_ROWS = 8
_LABEL_COLUMNS = 12
_MOST_COURSES = 1_000


def metrics(
    job: Job,
    *,
    name: Annotated[str | None, typer.Option(help="Only the metric of this name.")] = None,
    as_plot: Annotated[bool, typer.Option("--plot", help="Draw each series large.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Every point, one a line.")] = False,
    wide: Wide = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a series.")] = False,
) -> None:
    """Show a job's metrics, each with its course: extremes always stand out, gaps are NaN.

    Of more than 1,000 series the numbers only. Exit code 1 when there is none.
    """
    from synapse_stream.reading.job_views import opened
    from synapse_stream.settings import Settings

    if as_plot + as_csv + as_json > 1:
        msg = "only one of --plot, --csv and --json can be given"
        raise WrongUse(msg)
    settings = Settings.load()
    with opened(settings) as views:
        found = views.series(job, name=name)
        if not found:
            _say_none(settings, views, job, name)
        if as_csv:
            _print_csv(views, job, found)
        elif as_json:
            for summary in found:
                print_json(_object(summary))
        elif as_plot:
            for summary in found:
                _print_plot(views, job, summary)
        else:
            _print_table(views, job, found, wide=wide)


def _say_none(settings: Settings, views: Views, job: str, name: str | None) -> None:
    from synapse_stream.reading.job_views import some

    names = {summary.key.name for summary in views.series(job)}
    if name is None or not names:
        near = "" if views.state(job) is not None else near_job(settings, job)
        say_no(f"job {job!r} has no metrics{near}")
    say_no(f"job {job!r} has no metric {name!r}; it has {some(names)}")


def _print_table(views: Views, job: str, found: Sequence[SeriesSummary], *, wide: bool) -> None:
    room = _LONGEST_COURSE if wide else terminal_columns() - _OTHER_COLUMNS
    columns = max(_SHORTEST_COURSE, min(room, _LONGEST_COURSE))
    drawn = found if len(found) <= _MOST_COURSES else []  # each is a query of its own
    courses = {each.key: course(views, job, each.key, columns) for each in drawn}
    print_metrics([metric_row(each, courses.get(each.key, ())) for each in found], wide=wide)
    if not drawn:
        said = f"{len(found):,} series: courses are drawn of {_MOST_COURSES:,} at most"
        print(coloured(f"{said}; choose by --name", "yellow"), file=sys.stderr)
    state = views.state(job)
    for quota in state.quotas if state else ():
        if quota.of == "metrics":
            print(coloured(quota.note, "yellow"))


def _object(summary: SeriesSummary) -> dict[str, Any]:
    fields: dict[str, Any] = jsonable(summary)
    return {**fields.pop("key"), **fields, "last": wire_number(summary.last)}


def metric_row(summary: SeriesSummary, values: Sequence[float | None]) -> Sequence[str]:
    """Return a series as `METRIC_HEADER` has it, `values` being its course."""
    key = summary.key
    return (
        key.name,
        key.step or "-",
        str(key.rank),
        str(key.attempt),
        str(summary.count),
        amount(summary.minimum),
        amount(summary.maximum),
        amount(summary.last),
        sparkline(values) + _non_finite(summary),
    )


def print_metrics(rows: Sequence[Sequence[str]], *, wide: bool = False) -> None:
    """Print series, a row each as `metric_row` has it."""
    alike = [name for name in _ALIKE if len({row[METRIC_HEADER.index(name)] for row in rows}) == 1]
    print_table(METRIC_HEADER, rows, spare=(*alike, *_SPARE), wide=wide)


def _print_plot(views: Views, job: str, summary: SeriesSummary) -> None:
    key = summary.key
    columns = max(_LABEL_COLUMNS, shutil.get_terminal_size().columns - _LABEL_COLUMNS - 1)
    lines = plot(course(views, job, key, columns), _PLOT_ROWS)
    labels = {0: amount(summary.maximum), len(lines) - 1: amount(summary.minimum)}
    step = f" of {key.step}" if key.step else ""
    place = f"rank {key.rank}, attempt {key.attempt}"
    said = f"{summary.count} points, last {amount(summary.last)}{_non_finite(summary)}"
    print(one_line(f"{key.name}{step} ({place}): {said}"))
    for number, line in enumerate(lines):
        print(f"{labels.get(number, ''):>{_LABEL_COLUMNS}} {line}".rstrip())
    print()


def course(views: Views, job: str, key: SeriesKey, columns: int) -> list[float | None]:
    """Return a value a column: of the points there the one that stands out."""
    return extremes(views.overview(job, key, buckets=columns).buckets)


def _non_finite(summary: SeriesSummary) -> str:
    return f" ({summary.non_finite} not finite)" if summary.non_finite else ""


def _print_csv(views: Views, job: str, found: Sequence[SeriesSummary]) -> None:
    """Print the CSV of the API; names as a terminal can take them."""
    print(table.csv_text([table.COLUMNS]), end="")
    for summary in found:
        for piece in views.pieces(job, summary.key):
            attempt, rank, step, name = piece.key
            shown = SeriesKey(attempt, rank, one_line(step or ""), one_line(name))
            print(table.points(replace(piece, key=shown)), end="")

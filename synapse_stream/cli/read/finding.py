"""What `jobs --filter` and `--sort` find, and its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from synapse_stream.cli.shared.output import WrongUse, print_json
from synapse_stream.cli.shared.tables import amount, clock, print_table, span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_stream.models import RunStatus
    from synapse_stream.ports.filters.search import Hits, Span
    from synapse_stream.ports.views import RunState
    from synapse_stream.settings import Settings

Wanted = Annotated[
    str | None,
    typer.Option("--filter", help="Only runs that it fits, as in docs/filters.md."),
]
Sort = Annotated[
    str | None,
    typer.Option(help="By fields such as metrics.loss.min, or -duration: the largest first."),
]
Columns = Annotated[
    str | None,
    typer.Option(help="Fields to show besides, such as params.lr,metrics.loss.best,labels.team."),
]
By = Annotated[
    str | None,
    typer.Option("--group", help="Groups of runs by a field such as labels.sweep or fingerprint."),
]
_SHOWN = frozenset({"job", "status", "action", "percent", "started", "duration", "events", "error"})


def find(
    settings: Settings,
    wanted: str | None,
    sort: str | None,
    columns: str | None,
    *,
    limit: int,
    after: str | None,
) -> Hits:
    """Return the runs that are wanted, and what each has in the fields that are named.

    Raises:
        WrongUse: filter, order or columns cannot be read, or there is no job `after`.
    """
    from synapse_stream.reading.runs import Runs

    try:
        given: dict[str, Any] = {"limit": limit, "after": after, "settings": settings}
        return Runs(wanted, sort=sort, columns=columns, **given).hits
    except ValueError as error:
        raise WrongUse(str(error)) from None


def show_groups(
    settings: Settings,
    wanted: str | None,
    columns: str | None,
    by: str,
    *,
    limit: int,
    as_json: bool,
) -> bool:
    """Print groups of runs; return False if there is none.

    Raises:
        WrongUse: filter, columns or field cannot be read.
    """
    from synapse_stream.reading.runs import Runs

    try:
        runs = Runs(wanted, columns=columns, settings=settings)
        groups = runs.groups(by, limit=limit)
    except ValueError as error:
        raise WrongUse(str(error)) from None
    if as_json:
        for group in groups:
            spans = {name: {**one._asdict(), "mean": one.mean} for name, one in group.spans.items()}
            print_json({**group._asdict(), "runs": group.runs, "spans": spans})
        return bool(groups)
    names = dict.fromkeys(name for group in groups for name in group.spans)
    rows = [
        [
            cell(by, group.value),
            str(group.runs),
            ", ".join(f"{count} {status}" for status, count in sorted(group.statuses.items())),
            *(_span(name, group.spans.get(name)) for name in names),
        ]
        for group in groups
    ]
    if groups:
        print_table([by.upper(), "RUNS", "STATUS", *names], rows, spare=("STATUS",), below="")
    return bool(groups)


def _span(name: str, one: Span | None) -> str:
    if one is None:
        return "-"
    return f"{cell(name, one.low)} to {cell(name, one.high)}, mean {cell(name, one.mean)}"


def filter_of(
    wanted: str | None, *, status: str | None, action: str | None, search: str | None
) -> str | None:
    """Return a filter that says what options say, too."""
    parts = [f"({wanted})"] if wanted else []
    parts += [f"status = {status}"] if status else []
    parts += [f"action = {_text(action)}"] if action else []
    parts += [f"job LIKE {_text(f'%{search}%')}"] if search else []
    return " AND ".join(parts) or None


def listed(
    settings: Settings,
    *,
    status: RunStatus | None,
    action: str | None,
    text: str | None,
    after: str | None,
    limit: int,
) -> list[RunState]:
    """Return jobs as a store lists them, the newest first.

    Raises:
        WrongUse: there is no job `after`.
    """
    from synapse_stream.reading.job_views import opened

    with opened(settings) as views:
        try:
            return [*views.jobs(status=status, action=action, text=text, after=after, limit=limit)]
        except ValueError as error:
            raise WrongUse(str(error)) from None


def columns(values: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the fields that have no column of their own, as they were named."""
    return [name for name in (values[0] if values else ()) if name not in _SHOWN]


def cell(name: str, value: Any) -> str:
    """Return a value of a field as a table shows it."""
    if value is None:
        return "-"
    if name in {"started", "ended"}:
        return clock(value)
    if name == "duration":
        return span(value)
    return amount(value) if isinstance(value, float) else str(value)


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

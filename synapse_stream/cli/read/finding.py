"""What `jobs --filter` and `--sort` find, and its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from synapse_stream.cli.shared.output import WrongUse
from synapse_stream.cli.shared.tables import amount, clock, span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_stream.models import RunStatus
    from synapse_stream.ports.filters.search import Hits
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

"""`synapse-stream show --view`: what a view of another package has of a job."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import orjson

from synapse_stream.cli.shared.moments import moment
from synapse_stream.cli.shared.output import WrongUse, print_json
from synapse_stream.cli.shared.reading import near_job, place_of, say_no
from synapse_stream.cli.shared.tables import print_table
from synapse_stream.ports.views.jsonable import jsonable
from synapse_stream.saying.text import printable

if TYPE_CHECKING:
    from synapse_stream.ports.views import ViewState
    from synapse_stream.reading.stream import JobStream

_ROWS_A_PAGE = 1_000


def show_view(name: str, job: str, at: str | None, *, wide: bool, as_json: bool) -> None:
    """Print the state that a view has of a job, then its rows; with `at` the state as it was."""
    from synapse_stream.reading.stream import JobStream
    from synapse_stream.settings import Settings

    settings = Settings.load()
    stream = JobStream(job, settings)
    try:
        found = stream.view(name, moment("--at", at) if at else None, limit=_ROWS_A_PAGE)
    except LookupError as error:
        raise WrongUse(str(error)) from None
    if found is None and at is None:
        say_no(f"{name} has nothing of job {job!r}{place_of(settings)}{near_job(settings, job)}")
    if found is None:
        say_no(f"job {job!r} had no events at {at}")
    rows = _rows(stream, found)
    if as_json:
        print_json({**jsonable(found), "rows": rows, "next": None})
        return
    print(printable(orjson.dumps(found.state, option=orjson.OPT_INDENT_2).decode()))
    if rows:
        table = [[printable(str(value)) for value in row.values()] for row in rows]
        print_table([column.upper() for column in rows[0]], table, wide=wide)
    if found.fault:
        print(printable(found.fault), file=sys.stderr)
    if found.parked:
        print(f"events not understood: {found.parked}; see synapse-stream parked list")


def _rows(stream: JobStream, found: ViewState) -> list[dict[str, Any]]:
    """Return all rows, page by page."""
    rows, page = [*found.rows], found
    while page.next is not None:
        more = stream.view(page.view, after=page.next, limit=_ROWS_A_PAGE)
        if more is None:
            break
        rows += more.rows
        page = more
    return rows

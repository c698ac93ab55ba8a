"""`synapse-stream parked`: events that views set aside; look at them, try again, drop them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from synapse_stream.cli.shared.output import WrongUse, print_json
from synapse_stream.cli.shared.reading import say_no
from synapse_stream.cli.shared.reason import Reason
from synapse_stream.cli.shared.tables import clock, print_fields, print_table
from synapse_stream.ports.projections import projections
from synapse_stream.ports.views.jsonable import jsonable
from synapse_stream.saying.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from synapse_stream.ports.operations import Operations, ParkedEvent

app = typer.Typer(
    help="Events that views set aside, as they could not understand them: look, try again, drop."
)

_PAGE = 500
_MOST_DIGITS = 18  # what a database can number

_Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID…", help="As `parked list` shows them.")
]
_All = Annotated[bool, typer.Option("--all", help="All of them, or all of --job.")]
_Job = Annotated[str | None, typer.Option(help="Only of this job.")]
_Json = Annotated[bool, typer.Option("--json", help="JSON.")]


@app.callback(invoke_without_command=True)
def _parked(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_parked()


@app.command("list")
def list_parked(*, job: _Job = None, as_json: _Json = False) -> None:
    """List events that views set aside, as they could not understand them, with the reasons."""
    with _opened() as store:
        pages = [page for name in projections().names() for page in _pages(store, name, job)]
    found = [event for page in pages for event in page]
    if as_json:
        for event in found:
            print_json(_object(event))
    elif found:
        header = ("ID", "JOB", "POSITION", "TRIED", "PARKED", "REASON")
        print_table(header, [_row(event) for event in found])
    else:
        print("Nothing is parked: the views understood every event")


@app.command()
def show(
    event: Annotated[str, typer.Argument(metavar="ID", help="As `parked list` shows it.")],
    *,
    as_json: _Json = False,
) -> None:
    """Show one of these events as it came."""
    projection, number = _parse(event)
    with _opened() as store:
        found = store.parked.find(projection, number)
    if found is None:
        say_no(f"{event} is not parked")
    if as_json:
        print_json(_object(found))
        return
    print_fields(
        [
            ("id", _id(found)),
            ("job", found.job_id),
            ("position", str(found.position)),
            ("producer", found.producer),
            ("number", None if found.number is None else str(found.number)),
            ("reason", found.reason),
            ("tried", _attempts(found)),
            ("parked", clock(found.parked_ms * 1000)),
        ]
    )
    print(printable(_text(found.raw)))


@app.command()
def retry(
    events: _Ids = None,
    *,
    every: _All = False,
    job: _Job = None,
    reason: Reason = None,
    as_json: _Json = False,
) -> None:
    """Have the views try events again, as after an update that mends the reason.

    What fails again stays, with its new reason. Exit code 1 when one of them is not parked.
    """
    count = _change("retry", events, job, reason, every=every)
    _report(count, events, "to be retried", as_json=as_json)


@app.command()
def drop(
    events: _Ids = None,
    *,
    every: _All = False,
    job: _Job = None,
    reason: Reason = None,
    as_json: _Json = False,
) -> None:
    """Leave events out of the views for good; they stay in the record of their job.

    Exit code 1 when one of them is not parked.
    """
    count = _change("drop", events, job, reason, every=every)
    _report(count, events, "dropped", as_json=as_json)


def _change(
    what: Literal["retry", "drop"],
    events: list[str] | None,
    job: str | None,
    reason: str | None,
    *,
    every: bool,
) -> int:
    """Change the events that are named, or all; return how many there were."""
    from synapse_stream.operating.trail import acting
    from synapse_stream.settings import Settings

    if bool(events) == every or (job is not None and not every):
        msg = "name the events by their ids, or give --all, which --job can narrow"
        raise WrongUse(msg)
    named = sorted(_parse(event) for event in set(events or ()))
    with _opened() as store:
        known = [store.parked.find(*one) for one in named]
        jobs = sorted({job} if job else {one.job_id for one in known if one and one.job_id})
        before = {"events": sorted(set(events or ())), "all": every}
        settings = Settings.load()
        with acting(settings, f"parked {what}", jobs=jobs, reason=reason, before=before) as act:
            change = store.parked.retry if what == "retry" else store.parked.drop
            count = _change_each(change, store, named, job)
            act.after["count"] = count
    return count


def _change_each(
    change: Callable[[str, list[int]], int],
    store: Operations,
    named: list[tuple[str, int]],
    job: str | None,
) -> int:
    """Change the events that are named; all of a job, or of all, where none is."""
    if named:
        return sum(change(projection, [number]) for projection, number in named)
    count = 0
    for projection in projections().names():
        for page in _pages(store, projection, job):
            count += change(projection, [event.no for event in page])
    return count


def _report(count: int, events: list[str] | None, done: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"count": count})
    else:
        print(f"{count} {done}")
    if count < len(set(events or ())):
        say_no(f"{len(set(events or ())) - count} of them are not parked")


@contextmanager
def _opened() -> Iterator[Operations]:
    from synapse_stream.ports.operations import open_operations
    from synapse_stream.settings import Settings

    store = open_operations(Settings.load())
    try:
        yield store
    finally:
        store.close()


def _pages(store: Operations, projection: str, job: str | None) -> Iterator[Sequence[ParkedEvent]]:
    after = 0
    while page := store.parked.list(projection, job_id=job, after=after, limit=_PAGE):
        yield page
        after = page[-1].no


def _parse(event: str) -> tuple[str, int]:
    projection, _, number = event.partition("/")
    if projection in projections().names() and number.isdecimal() and len(number) <= _MOST_DIGITS:
        return projection, int(number)
    msg = f"{event!r} is no parked event; expected PROJECTION/NUMBER, as in run-state/3"
    raise WrongUse(msg)


def _id(event: ParkedEvent) -> str:
    return f"{event.projection}/{event.no}"


def _row(event: ParkedEvent) -> Sequence[str]:
    return (
        _id(event),
        event.job_id or "(its partition)",
        str(event.position),
        _attempts(event),
        clock(event.parked_ms * 1000),
        event.reason,
    )


def _attempts(event: ParkedEvent) -> str:
    return f"{event.attempts}{', to be retried' if event.is_marked else ''}"


def _object(event: ParkedEvent) -> dict[str, Any]:
    return {
        "id": _id(event),
        "job_id": event.job_id,
        "position": jsonable(event.position),
        "producer": event.producer,
        "number": event.number,
        "reason": event.reason,
        "attempts": event.attempts,
        "is_marked": event.is_marked,
        "parked_ms": event.parked_ms,
        "raw": _text(event.raw),
    }


def _text(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace")

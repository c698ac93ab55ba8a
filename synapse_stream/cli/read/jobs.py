"""`synapse-stream jobs` and `show`: which jobs there are, and where one stands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synapse_stream.cli.read import finding
from synapse_stream.cli.read.summary import summary
from synapse_stream.cli.read.view import show_view
from synapse_stream.cli.shared import wording
from synapse_stream.cli.shared.completion import Job
from synapse_stream.cli.shared.moments import moment
from synapse_stream.cli.shared.output import print_json
from synapse_stream.cli.shared.reading import health_of, near_job, place_of, say_no, server_now_ms
from synapse_stream.cli.shared.tables import (
    Cell,
    Wide,
    amount,
    clock,
    percent,
    print_fields,
    print_table,
    span,
)
from synapse_stream.models import RunStatus
from synapse_stream.ports.views.jsonable import jsonable
from synapse_stream.saying.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_stream.ports.views import Attempt, RunState, StepState

_COLOURS = {
    "completed": "green",
    "running": "cyan",
    "failed": "red",
    "cancelled": "yellow",
    "skipped": "bright_black",
    "silent": "yellow",
    "lost": "red",
}
_BAR_COLUMNS = 20
_JOBS = ("JOB", "STATUS", "HEALTH", "DONE", "ACTION", "STARTED", "TOOK", "EVENTS", "TROUBLE")
_SPARE = ("EVENTS", "ACTION", "TOOK", "HEALTH", "STARTED")
_STEPS = ("STEP", "DONE", "", "COUNT", "A SECOND", "LEFT", "ERROR")
_ACTIONS = ("ACTION", "STATUS", "STARTED", "ENDED", "ERROR")
_RANKS = ("RANK", "STATUS", "HOST/PID", "STARTED", "ENDED", "ERROR")


def jobs(
    *,
    status: Annotated[RunStatus | None, typer.Option(help="Only jobs that stand so.")] = None,
    action: Annotated[str | None, typer.Option(help="Only jobs that run this action.")] = None,
    search: Annotated[str | None, typer.Option(help="Only jobs whose id contains it.")] = None,
    after: Annotated[str | None, typer.Option(help="Go on behind this job.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most to show.")] = 20,
    wanted: finding.Wanted = None,
    sort: finding.Sort = None,
    columns: finding.Columns = None,
    by: finding.By = None,
    wide: Wide = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a job.")] = False,
) -> None:
    """List jobs, the newest first, or in the order of --sort.

    Exit code 1 when there is none.
    """
    from synapse_stream.settings import Settings

    settings = Settings.load()
    values: list[Mapping[str, Any]] = []
    text = finding.filter_of(wanted, status=status, action=action, search=search)
    if by:
        if not finding.show_groups(settings, text, columns, by, limit=limit, as_json=as_json):
            say_no(f"no such job{place_of(settings)} has {by}")
        return
    if wanted or sort or columns:
        hits = finding.find(settings, text, sort, columns, limit=limit, after=after).found
        found, values = [hit.state for hit in hits], [hit.values for hit in hits]
    else:
        listed: dict[str, Any] = {"status": status, "action": action, "text": search}
        found = finding.listed(settings, **listed, after=after, limit=limit)
    if not found:
        is_chosen = status or action or search or wanted
        say_no(f"there are no {'such ' if is_chosen else ''}jobs{place_of(settings)}")
    now_ms = server_now_ms(settings, found)
    rest = values or [{}] * len(found)
    if as_json:
        for state, its in zip(found, rest, strict=True):
            said = {"values": jsonable(its)} if values else {}
            print_json({**jsonable(summary(state)), "health": health_of(state, now_ms), **said})
        return
    more = finding.columns(values)
    rows = [
        [*_job_row(state, now_ms), *(finding.cell(name, its[name]) for name in more)]
        for state, its in zip(found, rest, strict=True)
    ]
    print_table([*_JOBS, *more], rows, spare=_SPARE, below="TROUBLE", wide=wide)


def show(
    job: Job,
    *,
    at: Annotated[
        str | None,
        typer.Option(help="As it was at this position or time, such as -10m or 2026-11-25 12:00."),
    ] = None,
    view: Annotated[
        str | None, typer.Option(help="What this view, of another package, has of it.")
    ] = None,
    wide: Wide = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show where a job stands: steps, actions, processes, and what is missing.

    Exit code 1 when the job is not known. With --at its health is that of then.
    """
    if view is not None:
        show_view(view, job, at, wide=wide, as_json=as_json)
        return
    from synapse_stream.reading.stream import JobStream
    from synapse_stream.settings import Settings

    settings = Settings.load()
    state = JobStream(job, settings).state(None if at is None else moment("--at", at))
    if state is None and at is None:
        lag = "`synapse-stream lag` shows how far projections are"
        near = near_job(settings, job)
        say_no(f"job {job!r} is not known{place_of(settings)}{near}; {lag}")
    if state is None:
        say_no(f"job {job!r} had no events at {at}")
    now_ms = state.position.ms if at else server_now_ms(settings, [state])
    health = health_of(state, now_ms)
    if as_json:
        fields = {**jsonable(state), "latest": state.latest.number}
        said = {"notes": [*state.latest.notes, *state.notes], "alive_beside": _alive(state, now_ms)}
        print_json({**fields, "status": state.status, "health": health, **said})
        return
    _show_run(state, health, now_ms)
    _show_error(state.latest)
    _show_tables(state.latest, wide=wide)


def _job_row(state: RunState, now_ms: int | None) -> list[Cell | str]:
    run = state.latest
    beside = [*_notes(state, now_ms), wording.parked(state), wording.damaged(state)]
    trouble = [wording.reason(run), wording.lacking(run), *beside]
    return [
        state.job_id,
        _status(state),
        _named(health_of(state, now_ms)),
        wording.share(run),
        run.action or "-",
        clock(run.started),
        span(run.duration_seconds),
        str(run.events),
        Cell("; ".join(filter(None, trouble)), "red"),
    ]


def _show_run(state: RunState, health: str | None, now_ms: int | None) -> None:
    run = state.latest
    others = f" of {state.attempt_count}" if state.attempt_count > 1 else ""
    print_fields(
        [
            ("job", state.job_id),
            ("status", _status(state)),
            ("health", _named(health)),
            ("error", Cell(wording.reason(run), "red") if run.error else None),
            ("done", ", ".join(filter(None, (wording.share(run), wording.rest(run))))),
            ("action", run.action),
            ("plugin", run.plugin),
            ("attempt", f"{run.number}{others}"),
            ("started", clock(run.started)),
            ("ended", clock(run.ended) if run.ended is not None else None),
            ("took", span(run.duration_seconds)),
            ("params", _data(run.params)),
            ("labels", _data(run.labels)),
            ("result", _data(run.result)),
            ("events", _counts(run.counts)),
            ("messages", _counts(run.levels)),
            ("complete", Cell(wording.lacking(run) or run.completeness.status.value)),
            *(("note", Cell(note, "yellow")) for note in _notes(state, now_ms)),
            ("left out", _left_out(state)),
            ("damaged", Cell(wording.damaged(state) or "", "red") if state.damaged else None),
            ("position", str(state.position)),
        ]
    )


def _show_error(run: Attempt) -> None:
    """Print the further lines of an error, as a traceback has them."""
    _, _, rest = (run.error or "").strip().partition("\n")  # the first is in the fields
    if rest:
        print()
        for line in rest.strip("\n").splitlines():
            indent = " " * (len(line) - len(line.lstrip()))
            print(f"  {indent}{one_line(line)}".rstrip())


def _left_out(state: RunState) -> Cell | None:
    if not state.parked:
        return None
    listed = f"synapse-stream parked list --job {state.job_id}"
    return Cell(f"{wording.parked(state)}: `{listed}` has them, and why", "red")


def _notes(state: RunState, now_ms: int | None) -> list[str]:
    return [*state.latest.notes, *state.notes, *_beside(state, now_ms)]


def _show_tables(run: Attempt, *, wide: bool) -> None:
    if run.steps:
        print()
        rows = [_step_row(step) for step in run.steps]
        print_table(_STEPS, rows, spare=("", "A SECOND"), below="ERROR", wide=wide)
    if run.actions:
        print()
        actions = [
            (a.name, _named(a.status), clock(a.started), clock(a.ended), a.error or "")
            for a in run.actions
        ]
        print_table(_ACTIONS, actions, spare=("ENDED", "STARTED"), below="ERROR", wide=wide)
    if len(run.ranks) > 1 or run.lost:
        print()
        ranks = [
            (
                str(r.rank),
                Cell("lost", "red") if r.is_lost else _named(r.status),
                f"{r.host or '-'}/{r.pid or '-'}",
                clock(r.started),
                clock(r.ended),
                r.error or "",
            )
            for r in run.ranks
        ]
        print_table(_RANKS, ranks, spare=("ENDED", "STARTED"), below="ERROR", wide=wide)
    for lost in run.lost:
        who = "a child process" if lost.rank is None else f"rank {lost.rank}"
        where = f"{lost.host or '-'}/{lost.pid or '-'}"
        print_fields(
            [("lost", Cell(f"{who} on {where} at {clock(lost.time)}: {lost.reason}", "red"))]
        )


def _step_row(step: StepState) -> Sequence[Cell | str]:
    filled = int(step.percent / 100 * _BAR_COLUMNS)
    count = "-" if step.current is None else f"{step.current:.10g}/{step.total:.10g}"
    bar = Cell("█" * filled + "░" * (_BAR_COLUMNS - filled), "red" if step.is_failed else "green")
    left = Cell("failed", "red") if step.is_failed else span(step.eta_seconds)
    done = percent(step.percent)
    return [step.name or "(run)", done, bar, count, amount(step.rate), left, step.error or ""]


def _status(state: RunState) -> Cell:
    ending = " (so far)" if state.latest.is_ending else ""
    return Cell(f"{state.status.value}{ending}", _COLOURS.get(state.status.value))


def _named(value: str | None) -> Cell:
    return Cell(value or "unknown", _COLOURS.get(value or ""))


def _counts(counts: Mapping[str, int]) -> str | None:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or None


def _data(value: Any) -> str | None:
    return json.dumps(jsonable(value), ensure_ascii=False) if value else None


def _alive(state: RunState, now_ms: int | None) -> list[int]:
    return [] if now_ms is None else state.alive_beside(now_ms)


def _beside(state: RunState, now_ms: int | None) -> list[str]:
    said = wording.beside(_alive(state, now_ms))
    return [said] if said else []

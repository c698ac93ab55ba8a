"""`synapse-stream verify`: is what is recorded of a run complete and untouched?"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synapse_stream.cli.shared.output import WrongUse, coloured, print_json
from synapse_stream.cli.shared.reading import near_job
from synapse_stream.errors import ConfigError, SynapseStreamError
from synapse_stream.ports.audit import Verdict
from synapse_stream.ports.views.jsonable import jsonable
from synapse_stream.saying.text import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from synapse_stream.entries.erasing import Erasure
    from synapse_stream.ports.audit import Auditor, Finding, ProducerReport, Report

_COLOURS = {
    "intact": "green",
    "open": "cyan",
    "removed": "yellow",
    "broken": "red",
    "unverified": "magenta",
    "unknown": "red",
}
_MOST_SHOWN = 10
UNVERIFIED = 3
"""Exit code where not all could be verified."""


def verify(
    job: Annotated[str | None, typer.Argument(metavar="JOB", help="The job's id.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All jobs that are known.")] = False,
    witnesses: Annotated[
        int, typer.Option("--require-witnesses", min=0, help="So many must vouch for the anchors.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a job.")] = False,
) -> None:
    """Verify runs: hash chains, numbers, seals, archive, stream, views and signed checkpoints.

    Exit code 1 when something differs from what was written, or there is no such job; 3 when
    nothing does, but not all could be verified.
    """
    from synapse_stream.ports.audit import open_auditor
    from synapse_stream.settings import Settings

    if every == (job is not None):
        msg = "name one job, or give --all"
        raise WrongUse(msg)
    found: Counter[Verdict] = Counter()
    settings = Settings.load()
    with closing(open_auditor(settings, witnesses=witnesses)) as auditor, said():
        for report in _reports(auditor, job):
            found[report.verdict] += 1
            if as_json:
                print_json(jsonable(_object(report)))
            elif report.verdict is Verdict.UNKNOWN:
                near = one_line(near_job(settings, report.job_id))
                print(f"synapse-stream: there is no job {report.job_id!r}{near}", file=sys.stderr)
            else:
                print_report(report)
    broken, unverified = found[Verdict.BROKEN] + found[Verdict.UNKNOWN], found[Verdict.UNVERIFIED]
    if every and not as_json:
        print(f"{found.total() - unverified} jobs verified, {broken} of them broken")
        if unverified:
            print(f"{unverified} jobs could not be verified")
    if broken or unverified:
        raise typer.Exit(1 if broken else UNVERIFIED)


@contextmanager
def said() -> Iterator[None]:
    """Exit as what says nothing about a run when server, store or anchors are away."""
    try:
        yield
    except ConfigError:
        raise
    except SynapseStreamError as error:
        print(f"synapse-stream: {one_line(str(error))}", file=sys.stderr)
        raise typer.Exit(UNVERIFIED) from error


def _reports(auditor: Auditor, job: str | None) -> Iterator[Report]:
    for one in auditor.jobs() if job is None else [job]:
        yield auditor.verify(one)


def _object(report: Report) -> dict[str, Any]:
    return {
        "job_id": report.job_id,
        "verdict": report.verdict.value,
        "record": report.record.value,
        "view": report.view.value,
        "entries": report.entries,
        "events": report.events,
        "archived": report.archived,
        "producers": [
            {
                "producer": one.producer,
                "last": one.last,
                "sealed": one.sealed,
                "lost": one.lost,
                "shed": one.shed,
                "anchored": one.anchored,
                "unanchored": _unanchored(one),
                "identity": one.identity,
            }
            for one in report.producers
        ],
        "views": report.views,
        "anchors": report.anchors,
        "findings": [finding._asdict() for finding in report.findings],
        "notes": report.notes,
        "erasures": [one._asdict() for one in report.erasures],
    }


def print_report(report: Report) -> None:
    """Print what verifying a run has found."""
    verdict, *rest = report_lines(report)
    word = report.verdict.value
    print(verdict.replace(f": {word}", f": {coloured(word, _COLOURS[word])}", 1))
    for line in rest:
        print(line)


def report_lines(report: Report) -> Iterator[str]:
    """Yield what is said of a job, the verdict first: safe to print."""
    verdict = report.verdict.value
    erased = f"{_erased(report)}; " if report.erasures else ""
    yield printable(one_line(f"{report.job_id}: {verdict}, {erased}{_contents(report)}"))
    for remark in _remarks(report):
        yield printable(f"  {remark}")
    for finding in report.findings[:_MOST_SHOWN]:
        yield printable(one_line(f"  {_place(finding)}"))
        yield printable(one_line(f"    expected {finding.expected}"))
        yield printable(one_line(f"    found    {finding.found}"))
    if len(report.findings) > _MOST_SHOWN:
        yield f"  and {len(report.findings) - _MOST_SHOWN} more differences"


def _remarks(report: Report) -> Iterator[str]:
    if report.view in {Verdict.BROKEN, Verdict.UNVERIFIED}:
        yield f"record {report.record.value}, views {report.view.value}"
    for one in report.producers:
        yield from (f"{one.producer} {said}, as it says itself" for said in _lost(one))
    yield from _reported(report)
    if report.producers:
        yield _anchored(report)
    if len({*map(_act, report.erasures)}) > 1:
        yield from (f"{_erased_lines(one)} erased {_act(one)}" for one in report.erasures)
    yield from (f"note: {note}" for note in report.notes)


def _erased(report: Report) -> str:
    """Return how many lines were erased; and when, by whom and why, if all were in one go."""
    count = sum(one.last - one.first + 1 for one in report.erasures)
    said = f"{count:,} of {_counted(report.events, 'line')} erased"
    acts = dict.fromkeys(map(_act, report.erasures))
    return f"{said} {next(iter(acts))}" if len(acts) == 1 else said


def _erased_lines(one: Erasure) -> str:
    return f"{one.position} of {one.producer}, numbers {_ranges([(one.first, one.last)])}"


def _act(one: Erasure) -> str:
    when = datetime.fromtimestamp(one.time_ms / 1000, UTC).isoformat(timespec="seconds")
    return f"at {when} by {one.by} because {one.reason}"


def _lost(one: ProducerReport) -> Iterator[str]:
    if one.shed:
        counts = ", ".join(f"{kind} {count:,}" for kind, count in sorted(one.shed.items()))
        yield f"gave up {counts}"
    if one.lost:
        yield f"lost {_ranges(one.lost)}"


def _contents(report: Report) -> str:
    views = sum(position is not None for position in report.views.values())
    return (
        f"{_counted(report.events, 'event')} in {_counted(report.entries, 'batch', 'batches')}, "
        f"{report.archived:,} of them archived; {_counted(len(report.producers), 'producer')}, "
        f"{_counted(views, 'view')}"
    )


def _reported(report: Report) -> Iterator[str]:
    """Yield by whose tokens producers are shown to have reported."""
    reported: dict[str, list[str]] = {}
    for one in report.producers:
        if one.identity is not None:
            reported.setdefault(one.identity, []).append(one.producer)
    for whose, names in reported.items():
        yield f"reported with the token of {whose}: {', '.join(names)}"


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one}" if count == 1 else f"{count:,} {many or one + 's'}"


def _anchored(report: Report) -> str:
    sure = sum(one.anchored + 1 for one in report.producers)
    open_ends = [
        f"{one.producer} {_ranges(ranges)}"
        for one in report.producers
        if (ranges := _unanchored(one))
    ]
    events, anchors = _counted(report.events, "event"), _counted(report.anchors, "anchor")
    said = f"anchored: {sure:,} of {events}, by {anchors}"
    return f"{said}; unanchored: {', '.join(open_ends)}" if open_ends else said


def _unanchored(one: ProducerReport) -> Sequence[tuple[int, int]]:
    return [(one.anchored + 1, one.last)] if one.anchored < one.last else []


def _place(finding: Finding) -> str:
    words = [finding.what]
    if finding.position is not None:
        words.append(f"at {finding.position}")
    if finding.producer is not None:
        words.append(f"of {finding.producer}")
    if finding.numbers is not None:
        words.append(f"numbers {_ranges([finding.numbers])}")
    return " ".join(words)


def _ranges(ranges: Iterable[tuple[int, int]]) -> str:
    return ", ".join(f"{first} to {last}" if first < last else f"{first}" for first, last in ranges)

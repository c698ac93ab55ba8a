"""`synapse-stream disclose`: one line of a run with its proof, for others to verify offline."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synapse_stream.cli.read.verify import UNVERIFIED, print_report, said
from synapse_stream.cli.shared.positions import position_of
from synapse_stream.cli.shared.reading import near_job, say_no
from synapse_stream.ports.audit import CannotDisclose, Verdict
from synapse_stream.saying.text import one_line, printable

if TYPE_CHECKING:
    from synapse_stream.ports.audit import Disclosure


def disclose(
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")],
    *,
    position: Annotated[str, typer.Option(metavar="P", help="Of the line, as `events` shows it.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")],
) -> None:
    """Verify a run, and write one line of it with what proves that it stands there.

    No other line can be learnt from the file, but one of metrics or progress is shown with those
    beside which it was sent: they share a leaf of the hash chain. What is printed says which.
    docs/verify_disclosure.py verifies the file, without us. Exit codes are those of `verify`; 1,
    too, where the line is not archived or was erased. Then nothing is written.
    """
    from synapse_stream.ports.audit import open_auditor
    from synapse_stream.settings import Settings

    place, settings = position_of(position), Settings.load()
    with closing(open_auditor(settings)) as auditor, said():
        try:
            report, found = auditor.disclose(job, place)
        except CannotDisclose as error:
            say_no(str(error))
        if report.verdict is Verdict.UNKNOWN:
            say_no(f"there is no job {job!r}{near_job(settings, job)}")
    if found is None:
        print_report(report)
        raise typer.Exit(1 if report.verdict is Verdict.BROKEN else UNVERIFIED)
    output.write_bytes(found.content)
    print(f"disclosed in {output}, {len(found.content):,} bytes")
    _explain(found)


def _explain(found: Disclosure) -> None:
    """Say what the file shows, and who vouches for it."""
    count = found.last - found.first + 1
    numbers = f"number {found.first}" if count == 1 else f"numbers {found.first} to {found.last}"
    print(printable(one_line(f"  it shows {numbers} of {found.producer}")))
    if count > 1:
        print(f"  all {count:,} share a leaf: none of them can be shown without the others")
    if not found.is_anchored:
        print(f"  no anchor is behind it, so who verifies it must know the root {found.root}")
        print(f"  over the first {found.entries:,} entries of the run")

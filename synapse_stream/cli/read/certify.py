"""`synapse-stream certify`: one small file that proves what a run came to, verified offline."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from synapse_stream.cli.read.verify import UNVERIFIED, print_report, said
from synapse_stream.cli.shared.reading import near_job, say_no
from synapse_stream.ports.audit import Verdict


def certify(
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")],
    witnesses: Annotated[
        int, typer.Option("--require-witnesses", min=0, help="So many must vouch for the anchors.")
    ] = 0,
) -> None:
    """Verify a run, and write what proves it: heads, root, seals, losses, its place in the log.

    docs/verify_certificate.py verifies the file, without us. Exit codes are those of `verify`; 3,
    too, where the run is not anchored yet. Then nothing is written.
    """
    from synapse_stream.ports.audit import open_auditor
    from synapse_stream.settings import Settings

    settings = Settings.load()
    with closing(open_auditor(settings, witnesses=witnesses)) as auditor, said():
        report, content = auditor.certify(job)
        if report.verdict is Verdict.UNKNOWN:
            say_no(f"there is no job {job!r}{near_job(settings, job)}")
    print_report(report)
    if content is None:
        if report.is_sound:
            print(f"synapse-stream: {job!r} has no anchor yet", file=sys.stderr)
        raise typer.Exit(1 if report.verdict is Verdict.BROKEN else UNVERIFIED)
    output.write_bytes(content)
    print(f"certified in {output}, {len(content):,} bytes")

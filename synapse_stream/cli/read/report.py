"""`synapse-stream report`: a run as one file for a browser, which needs no connection."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synapse_stream.cli.read.export import writing
from synapse_stream.cli.read.open import page_of
from synapse_stream.cli.read.verify import report_lines
from synapse_stream.cli.shared.completion import Job
from synapse_stream.cli.shared.reading import near_job, say_no
from synapse_stream.cli.shared.tables import clock
from synapse_stream.errors import SynapseStreamError

if TYPE_CHECKING:
    from synapse_stream.settings import Settings


def report(
    job: Job,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The file to write; - is the standard output.")
    ],
) -> None:
    """Write the page of a run, as it is now, to one HTML file that opens without a connection.

    It has charts, messages, errors, and what `verify` says. The page and its data are those of the
    `up` that runs with this data directory, or of SYNAPSE_STREAM_URL. Exit code 1 when there is no
    such job, or no page.
    """
    from synapse_stream.exports.report.html import Said, write_report
    from synapse_stream.exports.report.site import Site
    from synapse_stream.settings import Settings

    settings = Settings.load()
    with Site(_behind_a_page(settings)) as site:
        found = site.run(job)
        if found is None:
            say_no(f"there is no job {job!r}{near_job(settings, job)}")
        made = f"Report of {clock(round(time.time() * 1e6))}; it does not change"
        verdict, *remarks = _verified(settings, job)
        said = Said(job, made, f"Verified: {verdict}", "\n".join(remarks))
        content = write_report(site.file, said, found).encode()
    with writing(output) as file:
        file.write(content)
    print(f"{output}: {len(content):,} bytes", file=sys.stderr)


def _behind_a_page(settings: Settings) -> Settings:
    """Return settings with the address of a page and a token for it."""
    if settings.url is not None:
        return settings
    base, token = page_of(settings), settings.token_file
    known = f"@{token}" if token.exists() else None
    return settings.model_copy(update={"url": base.rstrip("/"), "token": known})


def _verified(settings: Settings, job: str) -> list[str]:
    """Return what `verify` says of the job, or why it says nothing."""
    from synapse_stream.ports.audit import open_auditor

    try:
        with closing(open_auditor(settings)) as auditor:
            return [*report_lines(auditor.verify(job))]
    except SynapseStreamError as error:
        return ["no", str(error)]

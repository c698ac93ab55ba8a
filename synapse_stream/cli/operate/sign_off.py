"""`synapse-stream sign-off`: vouch for a run as it is recorded."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from synapse_stream.cli.shared.completion import Job
from synapse_stream.cli.shared.output import print_json
from synapse_stream.cli.shared.reason import Reason


def sign_off(
    job: Job,
    *,
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Who you are.")],
    meaning: Annotated[
        str, typer.Option(metavar="TEXT", help="What for, as 'reviewed' or 'approved for release'.")
    ],
    reason: Reason = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Sign all that is recorded of a run that has ended, with SYNAPSE_STREAM_SIGN_OFF_KEY.

    The sign-off becomes an event of the run; `verify` tells of it, and whether it holds. Exit code
    1 when the run has not ended.
    """
    from synapse_stream.log.feeds import FeedLog
    from synapse_stream.operating.sign_off import Pen
    from synapse_stream.operating.trail import acting
    from synapse_stream.ports.archive import open_archive
    from synapse_stream.reading.job_reader import JobReader
    from synapse_stream.settings import Settings

    settings = Settings.load()
    pen, before = Pen.of(settings), {"name": name, "meaning": meaning}
    with (
        closing(FeedLog.open(settings)) as log,
        closing(JobReader(log, lambda: open_archive(settings))) as reader,
    ):
        log.check(found=False)
        with acting(settings, "sign-off", jobs=[job], reason=reason, before=before) as act:
            signed = pen.sign(reader, log, job, name, meaning)
            act.after.update(signed._asdict())
    if as_json:
        print_json(signed._asdict())
    else:
        print(f"{job} is signed off by {name}: {signed.entries} entries, root {signed.root}")
